//! The query string: percent-decoding, and the links of pages. Not here: what the parameters mean.

use wire::fault::{self, Result};
use wire::query::Query;

/// Parameters of one request at most.
const PAIRS_MAX: usize = 2000;

/// The decoded `name=value` pairs.
///
/// # Errors
/// 400 for what does not decode to text.
pub fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for part in query.unwrap_or("").split('&').filter(|part| !part.is_empty()) {
        if found.len() == PAIRS_MAX {
            return Err(fault::bad_request(format!(
                "At most {PAIRS_MAX} query parameters are accepted in one request."
            )));
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        found.push((decode(name)?, decode(value)?));
    }
    Ok(found)
}

/// Undoes percent-encoding and `+`.
///
/// # Errors
/// 400 for bad escapes and for bytes that are no UTF-8.
pub fn decode(text: &str) -> Result<String> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let bad =
        || fault::bad_request("The path or query has a percent-escape that is no UTF-8 text.");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let high = rest.next().and_then(hex).ok_or_else(bad)?;
                let low = rest.next().and_then(hex).ok_or_else(bad)?;
                bytes.push(high * 16 + low);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Percent-encodes a parameter.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// The links to the pages beside this one, as JSON text.
///
/// PARITY: neutron/api/api_common.py: a page that is full may have a next one; there is a previous
/// one unless the walk backwards has come to an end.
pub fn links(
    base: &str,
    pairs: &[(String, String)],
    query: &Query,
    ids: (&str, &str),
    count: u64,
) -> Vec<serde_json::Value> {
    let Some(limit) = query.limit else {
        return Vec::new();
    };
    let mut links = Vec::new();
    let mut push = |rel: &str, marker: &str, reverse: bool| {
        let kept = pairs.iter().filter(|(name, _)| name != "marker" && name != "page_reverse");
        let mut words: Vec<String> =
            kept.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        if count > 0 {
            words.push(format!("marker={}", encode(marker)));
        }
        if reverse {
            words.push("page_reverse=True".into());
        }
        links.push(serde_json::json!({"rel": rel, "href": format!("{base}?{}", words.join("&"))}));
    };
    let short = count < limit;
    if !short || query.reverse {
        push("next", ids.1, false);
    }
    if !short || !query.reverse {
        push("previous", ids.0, true);
    }
    links
}
