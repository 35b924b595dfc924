//! Entry points for fuzzers: any bytes are taken as what a server sends. Compiled for them and for
//! tests, which run them over the corpus and over random bytes.

use std::sync::{Arc, LazyLock};

use serde_json::Value as Json;

use crate::frame::{FrameError, Framer, Limits, Piece};
use crate::layout::{Layout, Monitored, RowChange, Texts};
use crate::remote::Remote;
use crate::replica::{Index, Replica};
use crate::rpc::Message;
use crate::schema::Schema;
use crate::value::Datum;

/// What a framer handed out, as owned texts.
#[derive(Debug, PartialEq)]
enum Cut {
    Row(Vec<u8>, Vec<u8>, Vec<u8>),
    Message(Vec<u8>),
}

const LIMITS: Limits = Limits { bytes: 1 << 16, depth: 16 };

fn cut<'a>(
    portions: impl Iterator<Item = &'a [u8]>,
    rows: bool,
) -> (Vec<Cut>, Result<(), FrameError>) {
    let mut framer = Framer::new(LIMITS);
    if rows {
        framer.cut_rows_of("database");
    }
    let mut cuts = Vec::new();
    for portion in portions {
        let end = framer.feed(portion, |piece| {
            cuts.push(match piece {
                Piece::Row { table, uuid, json } => {
                    Cut::Row(table.to_vec(), uuid.to_vec(), json.to_vec())
                }
                Piece::Message(text) => Cut::Message(text.to_vec()),
            });
        });
        if end.is_err() {
            return (cuts, end);
        }
    }
    (cuts, Ok(()))
}

/// Cutting does not depend on how the bytes are portioned; without rows to cut the messages are the
/// bytes themselves; with them, rows put back in their places make the same message.
///
/// # Panics
/// When it does not: the bug the fuzzer looks for.
pub fn fuzz_frames(data: &[u8]) {
    for rows in [false, true] {
        let whole = cut(std::iter::once(data), rows);
        let size = usize::from(data.first().copied().unwrap_or_default() % 7) + 1;
        assert_eq!(cut(data.chunks(size), rows), whole);
        for piece in &whole.0 {
            if let Cut::Message(text) = piece {
                let _ = Message::parse(text);
            }
        }
    }
    let (plain, end) = cut(std::iter::once(data), false);
    let (pieces, end_with_rows) = cut(std::iter::once(data), true);
    if end.is_err() || end_with_rows.is_err() {
        return;
    }
    let parse = |text: &[u8]| serde_json::from_slice::<Json>(text).ok();
    let texts = plain.iter().filter_map(|piece| match piece {
        Cut::Message(text) => Some(parse(text)),
        Cut::Row(..) => None,
    });
    // Messages that are no JSON, or that name a thing twice, are told from others only when read.
    for (want, got) in texts.zip(put_together(&pieces)) {
        if let (Some(want), Some((got, true))) = (want, got) {
            assert_eq!(want, got);
        }
    }
}

/// The messages with their rows put in again; `false` beside one in which a name came twice.
fn put_together(pieces: &[Cut]) -> Vec<Option<(Json, bool)>> {
    let mut rows: Vec<(String, String, Json)> = Vec::new();
    let mut sound = true;
    let mut messages = Vec::new();
    for piece in pieces {
        match piece {
            Cut::Row(table, uuid, json) => {
                match (
                    serde_json::from_slice(table),
                    serde_json::from_slice(uuid),
                    serde_json::from_slice(json),
                ) {
                    (Ok(table), Ok(uuid), Ok(json)) => rows.push((table, uuid, json)),
                    _ => sound = false,
                }
            }
            Cut::Message(text) => {
                let rows = std::mem::take(&mut rows);
                let unique = std::mem::replace(&mut sound, true) && once_each(text, &rows);
                messages.push(serde_json::from_slice(text).ok().map(|mut message| {
                    let all_placed = rows.into_iter().all(|row| put_in(&mut message, row));
                    (message, unique && all_placed)
                }));
            }
        }
    }
    messages
}

/// No name comes twice, among the rows nor in the message.
fn once_each(text: &[u8], rows: &[(String, String, Json)]) -> bool {
    let mut names: Vec<_> = rows.iter().map(|(table, uuid, _)| (table, uuid)).collect();
    names.sort();
    let before = names.len();
    names.dedup();
    let quotes = text.iter().filter(|byte| **byte == b'"').count();
    let read = serde_json::from_slice::<Json>(text).map(|json| json.to_string());
    let again = read.unwrap_or_default().bytes().filter(|byte| *byte == b'"').count();
    names.len() == before && quotes == again
}

fn put_in(message: &mut Json, (table, uuid, row): (String, String, Json)) -> bool {
    let places = [("params", true), ("result", true), ("result", false)];
    for (name, in_array) in places {
        let Some(body) = message.get_mut(name) else { continue };
        let mut bodies: Vec<&mut Json> = match body {
            Json::Array(members) if in_array => members.iter_mut().collect(),
            body if !in_array => vec![body],
            _ => continue,
        };
        for tables in &mut bodies {
            if let Some(rows) = tables.get_mut(&table).and_then(Json::as_object_mut) {
                rows.insert(uuid, row);
                return true;
            }
        }
    }
    false
}

/// A schema with a column of every kind.
const SCHEMA: &str = r#"{"name": "Zoo", "version": "1.0.0", "tables": {
    "Animal": {"isRoot": true, "columns": {
        "name": {"type": "string"},
        "legs": {"type": {"key": "integer", "min": 0, "max": 1}},
        "weight": {"type": "real"},
        "tame": {"type": "boolean"},
        "friends": {"type": {"key": {"type": "uuid", "refTable": "Animal", "refType": "weak"},
                             "min": 0, "max": "unlimited"}},
        "notes": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}
    }}}}"#;

static COLUMNS: [&str; 6] = ["name", "legs", "weight", "tame", "friends", "notes"];

static LAYOUT: LazyLock<Arc<Layout>> = LazyLock::new(|| {
    let schema = serde_json::from_str(SCHEMA).ok().and_then(|json| Schema::from_json(&json).ok());
    let monitored = Monitored { table: "Animal", columns: &COLUMNS, condition: Vec::new() };
    Arc::new(Layout::new(Arc::new(schema.unwrap_or_default()), &[monitored]))
});

/// Updates, one `<table-updates>` a line, change the replica or are refused whole; its indexes and
/// references always agree with its rows.
///
/// # Panics
/// When they do not.
pub fn fuzz_updates(data: &[u8]) {
    let layout = &*LAYOUT;
    let name = |row: &crate::row::Row| row.text("name").map(str::to_owned).into_iter().collect();
    let index = Index { table: "Animal", name: "name", keys: name };
    let mut replica = Replica::new(Arc::clone(layout), &[index]);
    let mut texts = Texts::default();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(json) = serde_json::from_slice::<Json>(line) else { continue };
        let Some(rows) = json.get("Animal").and_then(Json::as_object) else { continue };
        let changes: Result<Vec<RowChange>, _> =
            rows.iter().map(|(uuid, row)| layout.read("Animal", uuid, row, &mut texts)).collect();
        let Ok(changes) = changes else { continue };
        let before: Vec<_> = replica.rows("Animal").map(|(at, row)| (at, row.clone())).collect();
        if replica.apply(changes).is_err() {
            assert!(replica.rows("Animal").map(|(at, row)| (at, row.clone())).eq(before));
        }
        check(&replica);
    }
}

fn check(replica: &Replica) {
    let mut references = 0;
    for (uuid, row) in replica.rows("Animal") {
        if let Some(name) = row.text("name") {
            assert!(replica.find("Animal", "name", name).contains(&uuid));
        }
        let friends = row.get("friends").as_set().cloned().unwrap_or_default();
        for friend in friends.iter().filter_map(crate::value::Atom::as_uuid) {
            references += 1;
            assert!(replica.referrers("Animal", "friends", friend).any(|from| from == uuid));
        }
        for (_, datum) in row.iter() {
            assert_eq!(Datum::from_json(&datum.to_json()).as_ref(), Some(datum));
        }
    }
    assert_eq!(replica.reference_count(), references);
}

/// Remotes print as they read, and any other text is refused.
///
/// # Panics
/// When they do not.
pub fn fuzz_remotes(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(remotes) = Remote::parse_list(&text) {
        for remote in remotes {
            assert_eq!(Remote::parse(&remote.to_string()), Ok(remote));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn corpus(kind: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(kind);
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).unwrap()).collect()
    }

    /// A file of the corpus with some bytes replaced, cut out or doubled.
    fn mutated(kind: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
        let edit = (any::<prop::sample::Index>(), 0..3_u8, any::<u8>());
        let file = prop::sample::select(corpus(kind));
        (file, prop::collection::vec(edit, 0..6)).prop_map(|(mut file, edits)| {
            for (at, what, byte) in edits {
                if file.is_empty() {
                    break;
                }
                let at = at.index(file.len());
                match what {
                    0 => file[at] = byte,
                    1 => drop(file.remove(at)),
                    _ => file.insert(at, file[at]),
                }
            }
            file
        })
    }

    #[test]
    fn the_corpus_is_survived() {
        corpus("frame").iter().for_each(|file| fuzz_frames(file));
        corpus("update").iter().for_each(|file| fuzz_updates(file));
    }

    #[test]
    fn the_first_files_of_the_corpus_are_understood_whole() {
        let (cuts, end) = cut(std::iter::once(corpus("frame")[0].as_slice()), true);
        assert_eq!(end, Ok(()));
        assert_eq!(cuts.iter().filter(|cut| matches!(cut, Cut::Row(..))).count(), 5);
        assert_eq!(cuts.iter().filter(|cut| matches!(cut, Cut::Message(_))).count(), 5);
        for line in corpus("update")[0].split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
        {
            let json: Json = serde_json::from_slice(line).unwrap();
            for (uuid, row) in json["Animal"].as_object().unwrap() {
                LAYOUT.read("Animal", uuid, row, &mut Texts::default()).unwrap();
            }
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = "[".repeat(100_000);
        let end = cut(std::iter::once(format!("{{\"a\":{deep}").as_bytes()), true).1;
        assert_eq!(end, Err(FrameError::Deep(LIMITS.depth)));
        let long = format!("{{\"a\":\"{}", "x".repeat(LIMITS.bytes));
        assert_eq!(cut(long.as_bytes().chunks(1000), true).1, Err(FrameError::Long(LIMITS.bytes)));
        let row = format!(r#"{{"params":["database",{{"T":{{"u":{{"a":"{}"#, "x".repeat(1 << 17));
        assert_eq!(cut(row.as_bytes().chunks(1000), true).1, Err(FrameError::Long(LIMITS.bytes)));
    }

    proptest! {
        #[test]
        fn random_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..200)) {
            fuzz_frames(&data);
            fuzz_updates(&data);
            fuzz_remotes(&data);
        }

        #[test]
        fn random_words_of_the_protocol_are_survived(
            words in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\\", " ", "\"id\":", "\"params\":", "null",
                "\"result\":", "\"database\"", "\"T\":", "\"u\":", "{\"insert\":{}}", "1", "\"x\"",
                "[\"database\",{\"T\":{", "\"delete\":", "[false,\"0\",{",
            ]), 0..40),
        ) {
            fuzz_frames(words.concat().as_bytes());
        }

        #[test]
        fn damaged_messages_are_survived(data in mutated("frame")) {
            fuzz_frames(&data);
        }

        #[test]
        fn damaged_updates_are_survived(data in mutated("update")) {
            fuzz_updates(&data);
        }

        #[test]
        fn remotes_are_survived(text in "(unix|tcp|ssl|x):?[a-z:\\[\\].0-9,]{0,20}") {
            fuzz_remotes(text.as_bytes());
        }
    }
}
