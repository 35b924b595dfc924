//! Reads arguments of actions, `name = constant, …`, as OVN's lexer and parser do: strings are
//! those of JSON, a set stands in braces, everything else is a token of few characters.

/// A constant.
#[derive(Debug, PartialEq, Eq)]
pub enum Constant {
    /// In quotes.
    Text(String),
    /// A whole number.
    Number(u64),
    /// A MAC address.
    Mac,
    /// An address or a network.
    Address,
    /// Several in braces.
    Set(Vec<Self>),
}

impl Constant {
    /// True for addresses and sets of them.
    pub fn is_addresses(&self) -> bool {
        match self {
            Self::Address => true,
            Self::Set(members) => members.iter().all(Self::is_addresses),
            _ => false,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, what: char) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(what);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '/');
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// To the next quote that no backslash stands before, then unescaped as JSON.
    fn text(&mut self) -> Option<String> {
        let mut escaped = false;
        for (place, c) in self.rest.char_indices().skip(1) {
            match c {
                '"' if !escaped => {
                    let (text, rest) = self.rest.split_at(place + 1);
                    self.rest = rest;
                    return serde_json::from_str(text).ok();
                }
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        None
    }

    fn constant(&mut self) -> Option<Constant> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') {
            return self.text().map(Constant::Text);
        }
        if self.take('{') {
            let mut members = Vec::new();
            while !self.take('}') {
                members.push(self.constant()?);
                self.take(',');
            }
            return Some(Constant::Set(members));
        }
        let word = self.word()?;
        if let Ok(number) = word.parse() {
            return Some(Constant::Number(number));
        }
        let is_address =
            word.parse::<std::net::IpAddr>().is_ok() || word.parse::<ipnet::IpNet>().is_ok();
        let is_mac = word.len() == 17 && word.split(':').count() == 6;
        match (is_mac, is_address) {
            (true, _) => Some(Constant::Mac),
            (_, true) => Some(Constant::Address),
            _ => None,
        }
    }
}

/// The arguments; `None`: it is no list of arguments.
pub fn arguments(text: &str) -> Option<Vec<(String, Constant)>> {
    let mut reader = Reader { rest: text };
    let mut arguments = Vec::new();
    loop {
        let name = reader.word()?;
        if !reader.take('=') {
            return None;
        }
        arguments.push((name, reader.constant()?));
        if reader.rest.trim().is_empty() {
            return Some(arguments);
        }
        if !reader.take(',') {
            return None;
        }
    }
}
