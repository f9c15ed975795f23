//! An answer of HTTP/1.1, as far as a caller who counts has to read it.

/// An answer that is there whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 0 where it has none that can be read.
    pub(crate) status: u16,
    pub(crate) has_retry_after: bool,
    /// Whether the connection stays.
    pub(crate) stays: bool,
}

impl Answer {
    /// The answer that these bytes are, unless some are still to come. Every answer of the node says how long it is.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let head_bytes = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..head_bytes]);
        let mut answer = Self {
            status: head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0),
            has_retry_after: false,
            stays: true,
        };
        let mut length = 0;
        for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap_or(0);
            } else if name.eq_ignore_ascii_case("retry-after") {
                answer.has_retry_after = value.parse::<u64>().is_ok();
            } else if name.eq_ignore_ascii_case("connection") {
                answer.stays = !value.eq_ignore_ascii_case("close");
            }
        }
        (bytes.len() >= head_bytes + 4 + length).then_some(answer)
    }
}
