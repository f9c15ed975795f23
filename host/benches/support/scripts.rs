//! Sources of scripts that several benches have.

/// The answer that everything is compared by.
pub(crate) const HELLO: &str = r#"#{ statusCode: 200, body: #{ hello: ctx.request.path, n: 40 + 2 } }"#;

/// The shape of a script with `n` functions of which one call uses one.
pub(crate) fn functions(n: usize) -> String {
    let mut source = String::new();
    for i in 0..n {
        source += &format!(
            "fn f{i}(a, b) {{ let x = a + b * {i}; if x > 100 {{ throw \"too big\" }} \
             else {{ #{{ value: x, name: `n${{x}}` }} }} }}\n"
        );
    }
    source + format!("f{}(1, 2)", n.saturating_sub(1).min(3)).as_str()
}

/// 2 KiB of functions, `step_0` to `step_19`, that are other for each number.
pub(crate) fn steps(number: usize) -> String {
    let mut source = String::new();
    for function in 0..20 {
        source += &format!(
            "fn step_{function}(value) {{ if value > {function} {{ value - {function} }} else {{ value * 2 + {number} }} }}\n"
        );
    }
    source
}
