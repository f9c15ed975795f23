//! What a script answers, and how it says that it failed.

use http::{HeaderName, HeaderValue, StatusCode};
use picloud::limits;
use picloud::model::execution::FailureCode;
use picloud::sandbox::fuzzing;
use picloud::wit::program;

use super::http::header;
use crate::draw::Draw;

/// Bytes that the cut of a text adds.
const MARK_BYTES: usize = "…".len();

/// An answer is let through as it is, exactly when HTTP and the bounds have nothing against it.
pub(super) fn answers(draw: &mut Draw) {
    let status = if draw.flag() { draw.u16() } else { draw.one_of(&[199, 200, 204, 304, 599, 600]) };
    let mut headers = draw.list(6, header);
    match draw.below(16) {
        14 => headers = vec![("a".to_owned(), String::new()); limits::RESPONSE_HEADERS_MAX - 1 + draw.below(3)],
        15 => headers = vec![("a".to_owned(), "v".repeat(limits::RESPONSE_HEADER_BYTES_MAX - 2 + draw.below(3)))],
        _ => {}
    }
    let (body, most) = (draw.bytes(64).to_vec(), draw.below(64));
    let given = program::Answer { status, headers: headers.clone(), body: body.clone() };
    let judged = fuzzing::of_answer(given, most);
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let sound = |(name, value): &(String, String)| {
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_bytes(value.as_bytes()).is_ok()
    };
    let is_sound = (200..600).contains(&status)
        && body.len() <= most
        && headers.len() <= limits::RESPONSE_HEADERS_MAX
        && bytes <= limits::RESPONSE_HEADER_BYTES_MAX
        && headers.iter().all(sound);
    match judged {
        Ok(answer) => {
            assert!(is_sound && StatusCode::from_u16(answer.status).is_ok(), "{answer:?}");
            assert_eq!((answer.status, answer.headers, answer.body), (status, headers, body));
        }
        Err(failure) => {
            assert!(!is_sound, "{failure:?}");
            assert!(matches!(failure.code, FailureCode::InvalidResponse | FailureCode::ResponseTooLarge), "{failure:?}");
            assert!(failure.message.len() <= limits::FAILURE_MESSAGE_BYTES_MAX + MARK_BYTES);
            assert!(!failure.message.contains(['\r', '\n', '\0']), "what is quoted is escaped: {failure:?}");
        }
    }
}

/// A failure is cut to what a record may hold, and is ours only when a host call failed by a fault of ours.
pub(super) fn failures(draw: &mut Draw) {
    let codes =
        [program::FailureCode::ScriptError, program::FailureCode::InvalidResponse, program::FailureCode::ResponseTooLarge];
    let position = |draw: &mut Draw| program::Position { line: draw.u32(), column: draw.u32() };
    let name = |draw: &mut Draw| draw.text(limits::FAILURE_NAME_BYTES_MAX);
    let repeated = if draw.flag() { limits::FAILURE_CALLS_MAX } else { 1 };
    let frames = draw.list(3, |draw| program::Frame { function: name(draw), at: draw.option(position) });
    let mut message = draw.text(limits::FAILURE_MESSAGE_BYTES_MAX);
    if draw.flag() {
        message.push_str(picloud::hostcall::FAULT_MESSAGE);
    }
    let failure = program::Failure {
        code: draw.one_of(&codes),
        message: message.clone(),
        script: draw.option(name),
        at: draw.option(position),
        calls: std::iter::repeat_n(frames, repeated).flatten().collect(),
    };
    let (faulted, calls) = (draw.flag(), failure.calls.len());
    let is_scripts = !matches!(failure.code, program::FailureCode::ScriptError) || !faulted;
    let told = fuzzing::of_failure(failure, faulted);
    assert!(told.code != FailureCode::Internal || !is_scripts);
    assert!(told.message.len() <= limits::FAILURE_MESSAGE_BYTES_MAX + MARK_BYTES);
    assert!(message.starts_with(told.message.strip_suffix('…').unwrap_or(&told.message)));
    assert_eq!(told.calls.len(), calls.min(limits::FAILURE_CALLS_MAX));
    for name in told.calls.iter().map(|frame| &frame.function).chain(&told.script) {
        assert!(name.len() <= limits::FAILURE_NAME_BYTES_MAX + MARK_BYTES);
    }
}
