//! Link options of the component's module.

fn main() {
    // The stack lies below static data (`--stack-first` is the target's default), so that overflowing it traps. Half of
    // the usual size: an instance's cost grows with the memory it has.
    println!("cargo::rustc-link-arg-cdylib=-zstack-size=524288");
    println!("cargo::rerun-if-changed=build.rs");
}
