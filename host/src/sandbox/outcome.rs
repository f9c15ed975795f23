//! How a run ended, as data: the guest's own word, or what its trap means.

use wasmtime::Trap;

use crate::hostcall::{FAULT_MESSAGE, MemoryExceeded, NotRunning};
use crate::limits::{
    FAILURE_CALLS_MAX, FAILURE_MESSAGE_BYTES_MAX, FAILURE_NAME_BYTES_MAX, RESPONSE_HEADER_BYTES_MAX, RESPONSE_HEADERS_MAX,
};
use crate::model::execution::{Failure, FailureCode, Frame};
use crate::model::http::{is_field_value, is_token};
use crate::model::invocation::Answer;
use crate::model::text::cut;
use crate::wit::program;

/// What the guest answered, held against HTTP and the script's bound.
pub(super) fn of_answer(answer: program::Answer, body_bytes_max: usize) -> Result<Answer, Failure> {
    if !(200..=599).contains(&answer.status) {
        return Err(invalid(format!("status {} is not from 200 to 599", answer.status)));
    }
    if answer.body.len() > body_bytes_max {
        return Err(Failure::new(
            FailureCode::ResponseTooLarge,
            format!("the answer's body is larger than {body_bytes_max} bytes (the script's limit `response_body_bytes`)"),
        ));
    }
    if answer.headers.len() > RESPONSE_HEADERS_MAX {
        return Err(invalid(format!("the answer has {} headers: at most {RESPONSE_HEADERS_MAX} are sent", answer.headers.len())));
    }
    let header_bytes: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if header_bytes > RESPONSE_HEADER_BYTES_MAX {
        return Err(invalid(format!(
            "the answer's headers are {header_bytes} bytes: at most {RESPONSE_HEADER_BYTES_MAX} are sent"
        )));
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

/// The guest's own account of a script's failure, cut: a record waits in a queue of thousands, and a name may be as long
/// as a source. A script that did not catch a fault of ours has not failed: we have (`faulted`: a host call did so).
pub(super) fn of_failure(failure: program::Failure, faulted: bool) -> Failure {
    let code = match failure.code {
        program::FailureCode::ScriptError if faulted && failure.message.ends_with(FAULT_MESSAGE) => FailureCode::Internal,
        program::FailureCode::ScriptError => FailureCode::ScriptError,
        program::FailureCode::InvalidResponse => FailureCode::InvalidResponse,
        program::FailureCode::ResponseTooLarge => FailureCode::ResponseTooLarge,
    };
    let name = |text: &str| cut(text, FAILURE_NAME_BYTES_MAX).into_owned();
    let frame = |frame: &program::Frame| Frame {
        function: name(&frame.function),
        line: frame.at.map(|at| at.line),
        column: frame.at.map(|at| at.column),
    };
    Failure {
        code,
        message: cut(&failure.message, FAILURE_MESSAGE_BYTES_MAX).into_owned(),
        script: failure.script.as_deref().map(name),
        line: failure.at.map(|at| at.line),
        column: failure.at.map(|at| at.column),
        calls: failure.calls.iter().take(FAILURE_CALLS_MAX).map(frame).collect(),
    }
}

/// What ended the instance. Anything that a script cannot cause by its own bounds is ours, and logged here.
pub(super) fn of_trap(error: &wasmtime::Error, fuel: u64) -> Failure {
    if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
        return of_memory(u32::try_from(exceeded.bytes_max >> 20).unwrap_or(u32::MAX));
    }
    if error.downcast_ref::<NotRunning>().is_some() {
        let message =
            "the constants of a module are made when it is published: they cannot use the platform, its log, time or chance";
        return Failure::new(FailureCode::ScriptError, message);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Failure::new(FailureCode::FuelExhausted, format!("the script spent its {fuel} units of fuel")),
        // The interpreter's recursion ended its stack: deeper nesting than its own bounds saw coming.
        Some(Trap::StackOverflow | Trap::MemoryOutOfBounds) => {
            Failure::new(FailureCode::ScriptError, "the script is nested too deeply: its stack is exhausted")
        }
        _ => {
            tracing::error!(error = format!("{error:#}"), "an instance ended by a fault of the platform");
            Failure::new(FailureCode::Internal, "the sandbox failed; the execution id names it")
        }
    }
}

/// Its bound of memory ended it, or it would not even fit.
pub(super) fn of_memory(memory_mb: u32) -> Failure {
    Failure::new(FailureCode::MemoryExceeded, format!("the script needed more than its {memory_mb} MiB of memory"))
}

/// The wall clock ended it, in the script or in a host call.
pub(super) fn of_deadline(timeout_ms: u32) -> Failure {
    Failure::new(FailureCode::DeadlineExceeded, format!("the script took longer than its {timeout_ms} ms"))
}

fn invalid(message: String) -> Failure {
    Failure::new(FailureCode::InvalidResponse, cut(&message, FAILURE_MESSAGE_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY_BYTES_MAX: usize = 1_000;

    fn judged(status: u16, headers: &[(&str, &str)], body: usize) -> Result<Answer, FailureCode> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        of_answer(program::Answer { status, headers, body: vec![0; body] }, BODY_BYTES_MAX).map_err(|failure| failure.code)
    }

    #[test]
    fn statuses_from_200_to_599_are_sent() {
        for (status, good) in [(199, false), (200, true), (599, true), (600, false), (100, false)] {
            assert_eq!(judged(status, &[], 0).is_ok(), good, "{status}");
        }
    }

    #[test]
    fn a_failure_is_cut_to_what_a_record_may_hold() {
        let long = "é".repeat(100_000);
        let frame = program::Frame { function: long.clone(), at: None };
        let failure = program::Failure {
            code: program::FailureCode::ScriptError,
            message: long.clone(),
            script: Some(long),
            at: None,
            calls: vec![frame; 1_000],
        };
        let cut = of_failure(failure, false);
        let mark = "…".len();
        assert!(cut.message.len() <= FAILURE_MESSAGE_BYTES_MAX + mark && cut.calls.len() == FAILURE_CALLS_MAX);
        assert!(
            cut.script.unwrap().len() <= FAILURE_NAME_BYTES_MAX + mark
                && cut.calls[0].function.len() <= FAILURE_NAME_BYTES_MAX + mark
        );
    }

    #[test]
    fn a_fault_of_ours_is_not_the_scripts() {
        let failed = |message: &str, faulted| {
            let failure = program::Failure {
                code: program::FailureCode::ScriptError,
                message: message.to_owned(),
                script: None,
                at: None,
                calls: vec![],
            };
            of_failure(failure, faulted).code
        };
        let fault = format!("internal: {FAULT_MESSAGE}");
        assert_eq!(failed(&fault, true), FailureCode::Internal);
        assert_eq!(failed(&fault, false), FailureCode::ScriptError);
        assert_eq!(failed("it caught that and then failed by itself", true), FailureCode::ScriptError);
    }

    #[test]
    fn headers_that_http_forbids_are_refused() {
        for (name, value) in [("", "x"), ("a b", "x"), ("a\n", "x"), ("é", "x"), ("a", "x\r\ny: z"), ("a", "\0"), ("a", "\x7f")]
        {
            assert_eq!(judged(200, &[(name, value)], 0), Err(FailureCode::InvalidResponse), "{name:?}: {value:?}");
        }
        assert!(judged(200, &[("x-a", "some\tvalue é")], 0).is_ok());
    }

    #[test]
    fn the_body_is_bounded() {
        assert!(judged(200, &[], BODY_BYTES_MAX).is_ok());
        assert_eq!(judged(200, &[], BODY_BYTES_MAX + 1), Err(FailureCode::ResponseTooLarge));
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
