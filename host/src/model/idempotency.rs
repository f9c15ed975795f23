//! Answers that are kept for requests that may come again.

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Absent where it is told once only, or too long to be kept.
    pub body: Option<Vec<u8>>,
}

/// A request that has taken a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub fingerprint: Vec<u8>,
    /// Its answer, once there is one.
    pub kept: Option<Kept>,
}
