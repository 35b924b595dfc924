//! `differences.txt`: what may differ from the record, and why. Each line is
//! `TRANSCRIPT:STEP PLACE | REASON`. `TRANSCRIPT:STEP` may be `TRANSCRIPT` (all its steps) or `*`
//! (all transcripts); `PLACE` is `status`, `header`, `save`, or a path into the body without
//! positions in lists, and may begin or end with `*`. A step whose status may differ may differ in
//! all else. A line that begins with `?` is about chance: it need not differ each time.

use std::cell::Cell;
use std::path::Path;

/// One place where a reply was not as recorded.
#[derive(Clone, Debug)]
pub struct Found {
    /// `kind/case`.
    pub transcript: String,
    /// The number of the step, from 1.
    pub step: usize,
    /// `status`, `header`, `save`, or a path into the body.
    pub place: String,
    /// Request, difference and what the server said.
    pub said: String,
}

struct Line {
    number: usize,
    transcript: String,
    step: Option<usize>,
    place: String,
    /// Chance decides whether it is met.
    is_chance: bool,
    is_met: Cell<bool>,
}

/// The lines of the file.
pub struct Differences(Vec<Line>);

impl Differences {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        Self(lines.map(|(index, line)| Line::read(index + 1, line)).collect())
    }

    /// Is this written down?
    pub fn permits(&self, found: &Found) -> bool {
        self.0.iter().any(|line| line.permits(found))
    }

    /// What no line permits, and the lines that permit nothing.
    pub fn unexpected(&self, found: &[Found]) -> Vec<String> {
        let mut wrong = Vec::new();
        for found in found {
            let mut is_permitted = false;
            for line in self.0.iter().filter(|line| line.permits(found)) {
                line.is_met.set(true);
                is_permitted = true;
            }
            if !is_permitted {
                let Found { transcript, step, place, said } = found;
                wrong.push(format!("{transcript}:{step} {place} | {said}"));
            }
        }
        for line in self.0.iter().filter(|line| !line.is_met.get() && !line.is_chance) {
            wrong.push(format!("differences.txt:{}: nothing differs there any more", line.number));
        }
        wrong
    }
}

impl Line {
    fn read(number: usize, line: &str) -> Self {
        let wanted = || panic!("differences.txt:{number}: must be `WHERE PLACE | REASON`: {line}");
        // What chance decides (the order of random ids) may differ and may not.
        let (is_chance, line) = match line.strip_prefix('?') {
            Some(line) => (true, line),
            None => (false, line),
        };
        let Some((rule, reason)) = line.split_once(" | ") else { wanted() };
        assert!(reason.trim().len() > 10, "differences.txt:{number}: a reason is a sentence");
        let Some((transcript, place)) = rule.trim().split_once(' ') else { wanted() };
        let (transcript, step) = match transcript.split_once(':') {
            Some((transcript, step)) => (transcript, Some(step.parse().unwrap())),
            None => (transcript, None),
        };
        Self {
            number,
            transcript: transcript.to_owned(),
            step,
            place: place.trim().to_owned(),
            is_chance,
            is_met: Cell::new(false),
        }
    }

    fn permits(&self, found: &Found) -> bool {
        (self.transcript == "*" || self.transcript == found.transcript)
            && self.step.is_none_or(|step| step == found.step)
            && self.is_about(&found.place)
    }

    fn is_about(&self, place: &str) -> bool {
        match (self.place.strip_prefix('*'), self.place.strip_suffix('*')) {
            (Some(end), _) => place.ends_with(end),
            (None, Some(start)) => place.starts_with(start),
            (None, None) => place == self.place,
        }
    }
}

#[test]
fn a_line_that_permits_nothing_is_named_and_a_difference_without_a_line_too() {
    let line = |number, text| Line::read(number, text);
    let differences = Differences(vec![
        line(1, "a/b:2 status | Neutron breaks down here"),
        line(2, "* *.hints | hints are an extension of ours"),
        line(3, "a/b network.* | is never met at all"),
    ]);
    let found = |step, place: &str| Found {
        transcript: "a/b".into(),
        step,
        place: place.into(),
        said: "said".into(),
    };
    let all = [found(2, "status"), found(9, "port.hints"), found(3, "status")];
    let wrong = differences.unexpected(&all);
    assert_eq!(
        wrong,
        ["a/b:3 status | said", "differences.txt:3: nothing differs there any more",]
    );
}
