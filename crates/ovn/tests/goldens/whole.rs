//! Finds addresses and ids in texts where they stand whole: `10.0.0.5` is not in `10.0.0.50`.

use serde_json::Value as Json;

/// What the calls of a scenario say.
pub fn bodies(scenario: &Json) -> String {
    let calls = scenario["calls"].as_array().unwrap();
    calls.iter().map(|call| call["body"].clone()).collect::<Json>().to_string()
}

/// The places of it.
fn places<'a>(text: &'a str, what: &'a str) -> impl Iterator<Item = usize> + 'a {
    let goes_on = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'))
    };
    let bytes = text.as_bytes();
    text.match_indices(what).map(|(place, _)| place).filter(move |place| {
        let before = place.checked_sub(1).and_then(|before| bytes.get(before));
        !goes_on(before) && !goes_on(bytes.get(place + what.len()))
    })
}

/// True where it is there.
pub fn contains(text: &str, what: &str) -> bool {
    places(text, what).next().is_some()
}

/// The text with another in its place.
pub fn replace(text: &str, from: &str, to: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = 0;
    for place in places(text, from) {
        replaced.push_str(&text[rest..place]);
        replaced.push_str(to);
        rest = place + from.len();
    }
    replaced.push_str(&text[rest..]);
    replaced
}
