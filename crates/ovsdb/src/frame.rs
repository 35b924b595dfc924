//! Cuts the stream of bytes into messages, and the rows of a monitor's messages out of them, so
//! that no more than one row's text is ever held while half a million of them come in one message.
//! The bytes are looked at once, however they are portioned. Not here: what the texts mean (`rpc`,
//! `layout`); that they are sound JSON otherwise is found when they are read.

/// How large a stream's parts may grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of a message without the rows that are cut out of it, and of one row.
    pub bytes: usize,
    /// The deepest nesting.
    pub depth: usize,
}

impl Default for Limits {
    /// 128 MiB: a port group of two million ports is one row of 100 MB. The protocol's own messages
    /// nest ten deep.
    fn default() -> Self {
        Self { bytes: 128 << 20, depth: 64 }
    }
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// A message does not begin with a brace.
    #[error("a message begins with {0:?} instead of an opening brace")]
    NoMessage(char),
    /// A bracket closes what it did not open.
    #[error("a bracket closes what was not opened")]
    Bracket,
    /// See [`Limits::bytes`].
    #[error("a message or row is longer than {0} bytes")]
    Long(usize),
    /// See [`Limits::depth`].
    #[error("a message is nested deeper than {0}")]
    Deep(usize),
    /// In the place of a row, or between rows, there is something else.
    #[error("there is no row where one should be")]
    NoRow,
}

/// What was cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A row of the message that is under way.
    Row {
        /// The table's name as JSON, quotes and all.
        table: &'a [u8],
        /// The row's name as JSON, quotes and all.
        uuid: &'a [u8],
        /// What is said of the row: a JSON object.
        json: &'a [u8],
    },
    /// A message, its rows taken out.
    Message(&'a [u8]),
}

/// The cutter.
#[derive(Debug, Default)]
pub struct Framer {
    limits: Limits,
    /// The first parameter of the notifications whose rows are cut, as JSON; while it is empty
    /// nothing is cut.
    monitor: Vec<u8>,
    levels: Vec<Level>,
    in_string: bool,
    escaped: bool,
    /// The message under way, without rows.
    message: Vec<u8>,
    /// The row under way.
    row: Vec<u8>,
    table: Vec<u8>,
    uuid: Vec<u8>,
    /// How far the rows of a table are, if they are under way.
    rows: Option<Expect>,
}

#[derive(Debug)]
struct Level {
    role: Role,
    object: bool,
    /// Where in the message the latest key, or an array's first member, begins and ends.
    word: (usize, usize),
    /// A key may come, not a value.
    key_next: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The message itself.
    Message,
    /// The array of `params`.
    Parameters,
    /// The array of `result`.
    Results,
    /// Tables by name.
    Tables,
    /// Rows of a table by name.
    Rows,
    /// Whatever else.
    Plain,
}

/// What comes next among the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    KeyOrEnd,
    Key,
    Colon,
    Row,
    CommaOrEnd,
}

/// A buffer that had to grow for one large part does not stay so.
const KEPT: usize = 64 << 10;

impl Framer {
    /// Cuts nothing but messages.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// From here on the rows are cut out of replies that have the shape of a monitor's, and of
    /// notifications whose first parameter is this text.
    pub fn cut_rows_of(&mut self, monitor: &str) {
        self.monitor = format!("\"{monitor}\"").into_bytes();
    }

    /// How much memory is held for what is under way, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.message.capacity() + self.row.capacity() + self.table.capacity() + self.uuid.capacity()
    }

    /// Takes the next bytes and hands out what they complete. After an error the stream is of no
    /// more use.
    ///
    /// # Errors
    /// What of the limits or the shape was broken.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(Piece<'_>),
    ) -> Result<(), FrameError> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.in_string && !self.escaped {
                let run = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'));
                let (run, rest) = bytes.split_at(run.unwrap_or(bytes.len()));
                self.keep(run)?;
                bytes = rest;
                if let Some((first, rest)) = bytes.split_first() {
                    self.end_of_run(*first)?;
                    bytes = rest;
                }
            } else {
                self.step(*first, &mut sink)?;
                bytes = rest;
            }
        }
        Ok(())
    }

    /// A quote or a backslash in a string.
    fn end_of_run(&mut self, byte: u8) -> Result<(), FrameError> {
        self.keep(&[byte])?;
        if byte == b'\\' {
            self.escaped = true;
            return Ok(());
        }
        self.in_string = false;
        let end = self.message.len();
        if self.top_is_rows() {
            self.rows = Some(Expect::Colon);
        } else if let Some(level) = self.levels.last_mut()
            && level.key_next
        {
            level.word.1 = end;
        }
        Ok(())
    }

    fn step(&mut self, byte: u8, sink: &mut impl FnMut(Piece<'_>)) -> Result<(), FrameError> {
        if self.escaped {
            self.escaped = false;
            return self.keep(&[byte]);
        }
        let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match byte {
            _ if blank && (self.levels.is_empty() || self.top_is_rows()) => Ok(()),
            b'{' | b'[' => self.open(byte),
            b'}' | b']' => self.close(byte, sink),
            _ if self.levels.is_empty() => Err(FrameError::NoMessage(char::from(byte))),
            _ if self.top_is_rows() => self.between_rows(byte),
            b'"' => {
                let begin = self.message.len();
                if let Some(level) = self.levels.last_mut()
                    && level.key_next
                {
                    level.word.0 = begin;
                }
                self.in_string = true;
                self.keep(b"\"")
            }
            b',' | b':' => {
                self.separate(byte);
                self.keep(&[byte])
            }
            _ => self.keep(&[byte]),
        }
    }

    fn separate(&mut self, byte: u8) {
        let here = self.message.len();
        let Some(level) = self.levels.last_mut() else { return };
        if level.object {
            level.key_next = byte == b',';
        } else if level.word.1 == 0 {
            level.word.1 = here;
        }
    }

    fn between_rows(&mut self, byte: u8) -> Result<(), FrameError> {
        self.rows = Some(match (self.rows, byte) {
            (Some(Expect::KeyOrEnd | Expect::Key), b'"') => {
                self.uuid.clear();
                self.in_string = true;
                self.keep(b"\"")?;
                Expect::Key
            }
            (Some(Expect::Colon), b':') => Expect::Row,
            (Some(Expect::CommaOrEnd), b',') => Expect::Key,
            _ => return Err(FrameError::NoRow),
        });
        Ok(())
    }

    fn open(&mut self, byte: u8) -> Result<(), FrameError> {
        if self.levels.len() >= self.limits.depth {
            return Err(FrameError::Deep(self.limits.depth));
        }
        let role = self.role_of_next(byte)?;
        let begins_row = self.top_is_rows();
        if role == Role::Rows {
            self.table = self.word().to_vec();
        }
        // The brace of the rows belongs to the message, so it is kept before they begin.
        if begins_row && self.rows != Some(Expect::Row) {
            return Err(FrameError::NoRow);
        }
        let object = byte == b'{';
        if begins_row {
            self.push(role, object);
            return self.keep(&[byte]);
        }
        self.keep(&[byte])?;
        self.push(role, object);
        if role == Role::Rows {
            self.rows = Some(Expect::KeyOrEnd);
        }
        Ok(())
    }

    fn push(&mut self, role: Role, object: bool) {
        let word = (self.message.len(), 0);
        self.levels.push(Level { role, object, word, key_next: object });
    }

    fn role_of_next(&self, byte: u8) -> Result<Role, FrameError> {
        let Some(parent) = self.levels.last() else {
            return if byte == b'{' { Ok(Role::Message) } else { Err(FrameError::NoMessage('[')) };
        };
        let cutting = !self.monitor.is_empty();
        Ok(match (parent.role, byte) {
            (Role::Message, b'[') if self.word() == b"\"params\"" => Role::Parameters,
            (Role::Message, b'[') if self.word() == b"\"result\"" => Role::Results,
            (Role::Message, b'{') if cutting && self.word() == b"\"result\"" => Role::Tables,
            (Role::Parameters, b'{') if cutting && self.word() == self.monitor => Role::Tables,
            (Role::Results, b'{') if cutting => Role::Tables,
            (Role::Tables, b'{') if !parent.key_next => Role::Rows,
            (Role::Rows, b'[') => return Err(FrameError::NoRow),
            _ => Role::Plain,
        })
    }

    fn close(&mut self, byte: u8, sink: &mut impl FnMut(Piece<'_>)) -> Result<(), FrameError> {
        let level = self.levels.pop().ok_or(FrameError::Bracket)?;
        if level.object != (byte == b'}') {
            return Err(FrameError::Bracket);
        }
        if level.role == Role::Rows {
            if !matches!(self.rows, Some(Expect::KeyOrEnd | Expect::CommaOrEnd)) {
                return Err(FrameError::NoRow);
            }
            self.rows = None;
            return self.keep(&[byte]);
        }
        if self.top_is_rows() {
            self.row.push(byte);
            sink(Piece::Row { table: &self.table, uuid: &self.uuid, json: &self.row });
            self.row.clear();
            self.row.shrink_to(KEPT);
            self.rows = Some(Expect::CommaOrEnd);
            return Ok(());
        }
        self.keep(&[byte])?;
        if self.levels.is_empty() {
            sink(Piece::Message(&self.message));
            self.message.clear();
            self.message.shrink_to(KEPT);
        }
        Ok(())
    }

    /// The latest key, or the first member of an array.
    fn word(&self) -> &[u8] {
        let word = self.levels.last().map(|level| level.word).unwrap_or_default();
        self.message.get(word.0..word.1).unwrap_or_default()
    }

    fn top_is_rows(&self) -> bool {
        self.levels.last().is_some_and(|level| level.role == Role::Rows)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        let place = match self.rows {
            None => &mut self.message,
            Some(_) if self.top_is_rows() => &mut self.uuid,
            Some(_) => &mut self.row,
        };
        if place.len() + bytes.len() > self.limits.bytes {
            return Err(FrameError::Long(self.limits.bytes));
        }
        place.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply to `monitor_cond_since` with so many rows, in portions as they might be read.
    fn load(rows: usize) -> impl Iterator<Item = Vec<u8>> {
        let begin = br#"{"id":3,"result":[false,"x",{"Port":{"#.to_vec();
        let row = |number: usize| {
            let comma = if number == 0 { "" } else { "," };
            let ids =
                r#"["map",[["neutron:cidrs","192.0.2.7/24"],["neutron:port_name","\"{p}\""]]]"#;
            format!(r#"{comma}"row-{number}":{{"initial":{{"name":"p{number}","ids":{ids}}}}}"#)
        };
        let end = br#"}}],"error":null}"#.to_vec();
        let portions = (0..rows.div_ceil(500)).map(move |portion| {
            let numbers = portion * 500..rows.min(portion * 500 + 500);
            numbers.map(row).collect::<String>().into_bytes()
        });
        std::iter::once(begin).chain(portions).chain(std::iter::once(end))
    }

    #[test]
    fn a_load_of_any_size_holds_no_more_than_a_row() {
        let mut framer = Framer::new(Limits::default());
        framer.cut_rows_of("database");
        let (mut rows, mut messages, mut most, mut total) = (0, 0, 0, 0);
        for portion in load(20_000) {
            total += portion.len();
            framer
                .feed(&portion, |piece| match piece {
                    Piece::Row { table, uuid, json } => {
                        assert_eq!(table, b"\"Port\"");
                        assert_eq!(uuid, format!("\"row-{rows}\"").as_bytes());
                        assert!(json.starts_with(b"{\"initial\"") && json.ends_with(b"}}"));
                        rows += 1;
                    }
                    Piece::Message(text) => {
                        assert_eq!(
                            text,
                            br#"{"id":3,"result":[false,"x",{"Port":{}}],"error":null}"#
                        );
                        messages += 1;
                    }
                })
                .unwrap();
            most = most.max(framer.held());
        }
        assert_eq!((rows, messages), (20_000, 1));
        assert!(total > 2_000_000, "{total} bytes came");
        assert!(most < 1024, "{most} bytes were held");
    }
}
