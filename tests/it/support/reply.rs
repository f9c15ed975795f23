//! An HTTP answer, read whole, with the questions that tests ask.

use reqwest::header::HeaderMap;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.expect("a whole body").to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The beginning of the body, for messages.
    pub(crate) fn shown(&self) -> String {
        self.text().chars().take(600).collect()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.shown()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a readable header"))
    }

    /// Every value of a header that may come more than once.
    pub(crate) fn headers_named(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("a readable header")).collect()
    }

    #[track_caller]
    pub(crate) fn execution_id(&self) -> &str {
        self.header("picloud-execution-id").unwrap_or_else(|| panic!("no picloud-execution-id in {self:?}"))
    }

    /// Asserts the status, showing the body when it is another.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.shown());
        self
    }

    /// Asserts a failure in the one envelope of both planes: status, code, a message, the request's id as in the
    /// header, and nothing beside `details`.
    #[track_caller]
    pub(crate) fn fails(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "{}", self.shown());
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.text());
        let envelope = self.json();
        let error = envelope["error"].as_object().unwrap_or_else(|| panic!("no envelope: {envelope}"));
        assert_eq!(error["code"], code, "{envelope}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{envelope}");
        let id = self.header("x-request-id").unwrap_or_else(|| panic!("no x-request-id: {:?}", self.headers));
        assert_eq!(error["request_id"], id, "{envelope}");
        assert_eq!(envelope.as_object().map(serde_json::Map::len), Some(1), "{envelope}");
        let strange: Vec<_> =
            error.keys().filter(|key| !["code", "message", "request_id", "details"].contains(&key.as_str())).collect();
        assert!(strange.is_empty(), "{envelope}");
        self
    }

    /// `error.message` of a failure.
    #[track_caller]
    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().expect("a message").to_owned()
    }

    /// `error.details` of a failure.
    #[track_caller]
    pub(crate) fn details(&self) -> Value {
        self.json()["error"]["details"].clone()
    }
}
