//! Arguments with `%(name)s` in them: compiled once, compared without building a string.
//! Only `s` conversions exist here; Python's other formats are refused when loading.

use crate::check::Target;
use crate::parse::Problem;

/// Text with holes for attributes of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Attribute(Box<str>),
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                literal.push('%');
                rest = after;
                continue;
            }
            let hole = after.strip_prefix('(').and_then(|after| after.split_once(")s"));
            let Some((name, after)) = hole.filter(|(name, _)| !name.contains(['(', ')', '%']))
            else {
                return Err(format!(
                    "\"{text}\" has a \"%\" that starts neither \"%(name)s\" nor \"%%\""
                ));
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(Part::Attribute(canonical_key(name).into()));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self { parts: parts.into() })
    }

    /// The text if there is no hole in it.
    pub(crate) fn constant(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether the filled template is exactly `wanted`; false when the target lacks an attribute.
    pub(crate) fn fills_to(&self, target: &dyn Target, wanted: &str) -> bool {
        let mut rest = wanted;
        for part in &self.parts {
            let stripped = match part {
                Part::Text(text) => rest.strip_prefix(&**text),
                Part::Attribute(name) => {
                    target.get(name).and_then(|value| rest.strip_prefix(&*value))
                }
            };
            match stripped {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// The filled template; `None` when the target lacks an attribute.
    pub(crate) fn fill(&self, target: &dyn Target) -> Option<String> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Attribute(name) => filled.push_str(&target.get(name)?),
            }
        }
        Some(filled)
    }
}

/// `tenant_id` is the old name of `project_id`, always with the same value: targets are asked for
/// the new name only.
pub(crate) fn canonical_key(name: &str) -> String {
    match name.strip_suffix("tenant_id") {
        Some(parent) if parent.is_empty() || parent.ends_with(':') => format!("{parent}project_id"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    struct One(&'static str, &'static str);

    impl Target for One {
        fn get(&self, key: &str) -> Option<Cow<'_, str>> {
            (key == self.0).then_some(Cow::Borrowed(self.1))
        }
    }

    #[test]
    fn a_template_is_compared_piece_by_piece() {
        let template = Template::parse("a-%(name)s-%%").unwrap();
        assert!(template.fills_to(&One("name", "x"), "a-x-%"));
        assert!(!template.fills_to(&One("name", "x"), "a-x-%%"));
        assert!(!template.fills_to(&One("other", "x"), "a-x-%"));
        assert_eq!(template.fill(&One("name", "x")).as_deref(), Some("a-x-%"));
    }

    #[test]
    fn the_old_name_of_a_project_asks_for_the_new_one() {
        assert_eq!(canonical_key("tenant_id"), "project_id");
        assert_eq!(canonical_key("network:tenant_id"), "network:project_id");
        assert_eq!(canonical_key("my_tenant_id"), "my_tenant_id");
    }

    #[test]
    fn other_formats_of_python_are_refused() {
        for text in ["100%", "%(mtu)d", "%s", "%(name"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
