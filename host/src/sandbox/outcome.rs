//! How a run ended, as data: the guest's own word, or what its trap means.

use wasmtime::Trap;

use crate::hostcall::MemoryExceeded;
use crate::limits::{RESPONSE_BODY_BYTES_MAX, RESPONSE_HEADER_BYTES_MAX, RESPONSE_HEADERS_MAX};
use crate::model::execution::{Failure, FailureCode, Frame};
use crate::model::invocation::Answer;
use crate::wit::program;

/// What the guest answered, held against HTTP.
pub(super) fn of_answer(answer: program::Answer) -> Result<Answer, Failure> {
    if !(200..=599).contains(&answer.status) {
        return Err(invalid(format!("status {} is not from 200 to 599", answer.status)));
    }
    if answer.body.len() > RESPONSE_BODY_BYTES_MAX {
        return Err(Failure::new(FailureCode::ResponseTooLarge, format!("the answer's body is larger than {RESPONSE_BODY_BYTES_MAX} bytes")));
    }
    if answer.headers.len() > RESPONSE_HEADERS_MAX {
        return Err(invalid(format!("the answer has {} headers: at most {RESPONSE_HEADERS_MAX} are sent", answer.headers.len())));
    }
    let header_bytes: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if header_bytes > RESPONSE_HEADER_BYTES_MAX {
        return Err(invalid(format!("the answer's headers are {header_bytes} bytes: at most {RESPONSE_HEADER_BYTES_MAX} are sent")));
    }
    for (name, value) in &answer.headers {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(invalid(format!("`{}` is not a header name (RFC 9110 §5.6.2)", name.escape_default())));
        }
        if !value.bytes().all(is_field_value) {
            return Err(invalid(format!("the value of header `{name}` has a character that HTTP forbids (RFC 9110 §5.5)")));
        }
    }
    Ok(Answer { status: answer.status, headers: answer.headers, body: answer.body })
}

/// The guest's own account of a script's failure.
pub(super) fn of_failure(failure: program::Failure) -> Failure {
    let code = match failure.code {
        program::FailureCode::ScriptError => FailureCode::ScriptError,
        program::FailureCode::InvalidResponse => FailureCode::InvalidResponse,
        program::FailureCode::ResponseTooLarge => FailureCode::ResponseTooLarge,
    };
    let calls = failure
        .calls
        .into_iter()
        .map(|frame| Frame { function: frame.function, line: frame.at.map(|at| at.line), column: frame.at.map(|at| at.column) })
        .collect();
    Failure { code, message: failure.message, script: failure.script, line: failure.at.map(|at| at.line), column: failure.at.map(|at| at.column), calls }
}

/// What ended the instance. Anything that a script cannot cause by its own bounds is ours, and logged here.
pub(super) fn of_trap(error: &wasmtime::Error, fuel: u64) -> Failure {
    if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
        return Failure::new(FailureCode::MemoryExceeded, format!("the script needed more than its {} MiB of memory", exceeded.bytes_max >> 20));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Failure::new(FailureCode::FuelExhausted, format!("the script spent its {fuel} units of fuel")),
        // The interpreter's recursion ended its stack: deeper nesting than its own bounds saw coming.
        Some(Trap::StackOverflow | Trap::MemoryOutOfBounds) => Failure::new(FailureCode::ScriptError, "the script is nested too deeply: its stack is exhausted"),
        _ => {
            tracing::error!(error = format!("{error:#}"), "an instance ended by a fault of the platform");
            Failure::new(FailureCode::Internal, "the sandbox failed; the execution id names it")
        }
    }
}

/// The wall clock ended it, in the script or in a host call.
pub(super) fn of_deadline(timeout_ms: u32) -> Failure {
    Failure::new(FailureCode::DeadlineExceeded, format!("the script took longer than its {timeout_ms} ms"))
}

fn invalid(message: String) -> Failure {
    Failure::new(FailureCode::InvalidResponse, message)
}

/// RFC 9110 §5.6.2 `tchar`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110 §5.5: visible characters, space, tab, and bytes of other encodings.
fn is_field_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, headers: &[(&str, &str)], body: usize) -> Result<Answer, FailureCode> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        of_answer(program::Answer { status, headers, body: vec![0; body] }).map_err(|failure| failure.code)
    }

    #[test]
    fn statuses_from_200_to_599_are_sent() {
        for (status, good) in [(199, false), (200, true), (599, true), (600, false), (100, false)] {
            assert_eq!(judged(status, &[], 0).is_ok(), good, "{status}");
        }
    }

    #[test]
    fn headers_that_http_forbids_are_refused() {
        for (name, value) in [("", "x"), ("a b", "x"), ("a\n", "x"), ("é", "x"), ("a", "x\r\ny: z"), ("a", "\0"), ("a", "\x7f")] {
            assert_eq!(judged(200, &[(name, value)], 0), Err(FailureCode::InvalidResponse), "{name:?}: {value:?}");
        }
        assert!(judged(200, &[("x-a", "some\tvalue é")], 0).is_ok());
    }

    #[test]
    fn the_body_is_bounded() {
        assert!(judged(200, &[], RESPONSE_BODY_BYTES_MAX).is_ok());
        assert_eq!(judged(200, &[], RESPONSE_BODY_BYTES_MAX + 1), Err(FailureCode::ResponseTooLarge));
    }

    #[test]
    fn headers_are_bounded_in_number_and_bytes() {
        assert!(judged(200, &vec![("a", "b"); RESPONSE_HEADERS_MAX], 0).is_ok());
        assert!(judged(200, &vec![("a", "b"); RESPONSE_HEADERS_MAX + 1], 0).is_err());
        let fits = "b".repeat(RESPONSE_HEADER_BYTES_MAX - 1);
        assert!(judged(200, &[("a", &fits)], 0).is_ok());
        assert!(judged(200, &[("a", &fits), ("a", "")], 0).is_err());
    }
}
