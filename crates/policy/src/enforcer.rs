//! The rules in force: defaults with the operator's overrides over them, resolved and checked once,
//! then only asked. Which rules a request needs is decided by the callers.

use crate::check::{Ask, Check, Names, RuleId, Target};
use crate::credentials::{Credentials, Scope};
use crate::default_rule::{DefaultRule, renamed};
use crate::defaults::{CONTEXT_CAN_SET_PROJECT_ID, DEFAULTS, OWN};
use crate::error::PolicyError;
use crate::overrides::{self, Override};
use crate::parse::{self, DEPTH_LIMIT, Expression};
use std::collections::{HashMap, HashSet};

/// The rule that stands in for every unknown one (oslo.policy's option `policy_default_rule`).
const FALLBACK: &str = "default";

/// How many checks one decision may take in the worst case; Neutron's dearest rule takes about 30.
const COST_LIMIT: usize = 100_000;

/// The answer to one question. The last two are 403 on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The rule holds.
    Allowed,
    /// The rule does not hold, or cannot be answered for this target.
    Denied,
    /// The token is scoped to something the rule is not for; the rule was not looked at.
    WrongScope,
}

/// A rule in force. Look it up once with [`Enforcer::resolve`], then ask with [`Enforcer::decide`].
#[derive(Debug)]
pub struct Rule {
    name: Box<str>,
    text: Box<str>,
    line: Option<u64>,
    scopes: &'static [Scope],
    check: Check,
    shape: Shape,
}

impl Rule {
    /// `create_network:shared`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The expression as it was written (a list of lists: as one line).
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the operator's file says so, and not a default.
    #[must_use]
    pub fn is_override(&self) -> bool {
        self.line.is_some()
    }

    /// Whether the answer may differ between two targets: if not, ask once and with `()`.
    #[must_use]
    pub fn depends_on_target(&self) -> bool {
        self.shape.depends_on_target
    }

    /// What a token must be scoped to; empty for any.
    #[must_use]
    pub fn scopes(&self) -> &'static [Scope] {
        self.scopes
    }
}

/// All rules in force; immutable, so a changed file makes a new one.
#[derive(Debug)]
pub struct Enforcer {
    rules: Vec<Rule>,
    ids: HashMap<Box<str>, RuleId>,
    /// By the name before the first colon: those with more behind it.
    parts: HashMap<Box<str>, Vec<RuleId>>,
    warnings: Vec<String>,
}

impl Enforcer {
    /// Puts `overrides`, the text of a `policy.yaml` in YAML or JSON, over `defaults`.
    ///
    /// # Errors
    /// The text is no mapping of rules, a rule cannot be parsed (line and rule are named), rules
    /// refer to each other in a circle, or deciding one would take more than is reasonable.
    pub fn new(defaults: &[DefaultRule], overrides: Option<&str>) -> Result<Self, PolicyError> {
        let mut drafts = Drafts::default();
        for default in defaults {
            let expression = parse::parse(default.check)
                .map_err(|problem| refusal(default.name, None, problem))?;
            drafts.set(default.name, default.check, expression, None);
            drafts.scope(default.name, default.scopes);
        }
        let file = overrides::read(overrides.unwrap_or_default())?;
        drafts.put_over(file);
        drafts.compile()
    }

    /// What a server runs with: all of Neutron's defaults, our own, and `overrides` over them.
    ///
    /// # Errors
    /// As [`Enforcer::new`].
    pub fn neutron(overrides: Option<&str>) -> Result<Self, PolicyError> {
        Self::new(&[DEFAULTS, &[CONTEXT_CAN_SET_PROJECT_ID], OWN].concat(), overrides)
    }

    /// Whether `who` may do `rule` to `target`. An unknown rule is answered by the rule `default`.
    #[must_use]
    pub fn check(&self, rule: &str, who: &Credentials<'_>, target: &dyn Target) -> bool {
        self.resolve(rule).is_some_and(|rule| self.decide(rule, who, target) == Decision::Allowed)
    }

    /// The answer of a rule of this enforcer, scope included.
    #[must_use]
    pub fn decide(&self, rule: &Rule, who: &Credentials<'_>, target: &dyn Target) -> Decision {
        if !rule.scopes.is_empty() && !rule.scopes.contains(&who.scope()) {
            return Decision::WrongScope;
        }
        let find = |RuleId(id): RuleId| self.rules.get(id).map(|rule| &rule.check);
        match rule.check.answer(&Ask { who, target, rule: &find }) {
            Ok(true) => Decision::Allowed,
            Ok(false) | Err(_) => Decision::Denied,
        }
    }

    /// The rule of exactly this name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.ids.get(name).and_then(|RuleId(id)| self.rules.get(*id))
    }

    /// The rule that answers for `name`. PARITY: for an unknown name that is the rule `default`;
    /// where there is none, `None` means denied.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<&Rule> {
        self.rule(name).or_else(|| self.rule(FALLBACK))
    }

    /// The rules of the parts of what `name` is about, each with the part's name:
    /// `binding:host_id` and the rule `get_port:binding:host_id` for `get_port`.
    pub fn parts<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, &'a Rule)> + use<'a> {
        let rules = self.parts.get(name).into_iter().flatten();
        let rules = rules.filter_map(|RuleId(id)| self.rules.get(*id));
        rules.filter_map(|rule| Some((rule.name.split_once(':')?.1, rule)))
    }

    /// Whether the answer of `rule` may differ between two targets.
    #[must_use]
    pub fn depends_on_target(&self, rule: &str) -> bool {
        self.resolve(rule).is_some_and(Rule::depends_on_target)
    }

    /// Every rule in force, defaults in their order first.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// What is legal but surely not meant, in sentences for the log.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn refusal(rule: &str, line: Option<u64>, problem: String) -> PolicyError {
    PolicyError { line, rule: Some(rule.to_owned()), problem }
}

/// A rule before it is compiled.
struct Draft {
    name: Box<str>,
    text: Box<str>,
    line: Option<u64>,
    scopes: &'static [Scope],
    expression: Expression,
}

#[derive(Default)]
struct Drafts {
    rules: Vec<Draft>,
    ids: HashMap<Box<str>, RuleId>,
    warnings: Vec<String>,
    /// Overrides of no known rule: fine as long as another rule refers to them.
    unknown: Vec<RuleId>,
}

impl Drafts {
    fn set(&mut self, name: &str, text: &str, expression: Expression, line: Option<u64>) {
        let known = self.ids.get(name).and_then(|RuleId(id)| self.rules.get_mut(*id));
        if let Some(draft) = known {
            draft.text = text.into();
            draft.expression = expression;
            draft.line = line;
            return;
        }
        self.ids.insert(name.into(), RuleId(self.rules.len()));
        let (name, text) = (name.into(), text.into());
        self.rules.push(Draft { name, text, line, scopes: &[], expression });
    }

    fn scope(&mut self, name: &str, scopes: &'static [Scope]) {
        let known = self.ids.get(name).and_then(|RuleId(id)| self.rules.get_mut(*id));
        if let Some(draft) = known {
            draft.scopes = scopes;
        }
    }

    fn put_over(&mut self, file: Vec<Override>) {
        let names: HashSet<String> = file.iter().map(|rule| rule.name.clone()).collect();
        for rule in file {
            let new_name = renamed(&rule.name).filter(|new| self.ids.contains_key(&**new));
            if let Some(new) = &new_name {
                self.warnings.push(format!(
                    "line {}: \"{}\" is called \"{new}\" now; please rename it",
                    rule.line, rule.name
                ));
                // PARITY: the old name counts unless the new one is there too, or is what it says.
                let points_there = rule.expression.to_string() == format!("rule:{new}");
                if !names.contains(new) && !points_there {
                    self.set(new, &rule.text, rule.expression.clone(), Some(rule.line));
                }
            } else if !self.ids.contains_key(&*rule.name) {
                self.unknown.push(RuleId(self.rules.len()));
            }
            self.set(&rule.name, &rule.text, rule.expression, Some(rule.line));
        }
    }

    fn compile(mut self) -> Result<Enforcer, PolicyError> {
        let mut compiler = Compiler {
            ids: &self.ids,
            warnings: &mut self.warnings,
            referred: HashSet::new(),
            rule: "",
            line: None,
        };
        let mut checks = Vec::with_capacity(self.rules.len());
        for draft in &self.rules {
            compiler.rule = &draft.name;
            compiler.line = draft.line;
            let check = Check::compile(&draft.expression, &mut compiler)
                .map_err(|problem| refusal(&draft.name, draft.line, problem))?;
            checks.push(check);
        }
        let referred = compiler.referred;
        for id in self.unknown.iter().filter(|id| !referred.contains(id)) {
            if let Some(Draft { name, line: Some(line), .. }) = self.rules.get(id.0) {
                self.warnings.push(format!(
                    "line {line}: there is no rule called \"{name}\", and no other refers to it"
                ));
            }
        }
        let shapes = Survey::of(&self.rules, &checks)?;
        let rules = self.rules.into_iter().zip(checks).zip(shapes);
        let rules = rules.map(|((draft, check), shape)| {
            let Draft { name, text, line, scopes, expression: _ } = draft;
            Rule { name, text, line, scopes, check, shape }
        });
        let mut parts: HashMap<Box<str>, Vec<RuleId>> = HashMap::new();
        for (name, id) in &self.ids {
            if let Some((whole, _)) = name.split_once(':') {
                parts.entry(whole.into()).or_default().push(*id);
            }
        }
        Ok(Enforcer { rules: rules.collect(), ids: self.ids, parts, warnings: self.warnings })
    }
}

struct Compiler<'d> {
    ids: &'d HashMap<Box<str>, RuleId>,
    warnings: &'d mut Vec<String>,
    referred: HashSet<RuleId>,
    /// The rule being compiled.
    rule: &'d str,
    line: Option<u64>,
}

impl Names for Compiler<'_> {
    fn rule(&mut self, name: &str) -> Option<RuleId> {
        if let Some(id) = self.ids.get(name) {
            self.referred.insert(*id);
            return Some(*id);
        }
        // PARITY: as in `resolve`.
        let fallback = self.ids.get(FALLBACK).copied();
        let meaning = if fallback.is_some() { "\"default\" is used" } else { "it denies" };
        self.warn(format!("rule:{name} refers to a rule that does not exist; {meaning} instead"));
        fallback
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(match self.line {
            Some(line) => format!("line {line}, rule \"{}\": {warning}", self.rule),
            None => format!("default rule \"{}\": {warning}", self.rule),
        });
    }
}

/// What a rule amounts to when the rules it refers to are counted in.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    depth: usize,
    cost: usize,
    depends_on_target: bool,
}

/// Walks all rules once; finds circles, and what would be too deep or too dear to answer.
struct Survey<'r> {
    drafts: &'r [Draft],
    checks: &'r [Check],
    known: Vec<Option<Shape>>,
    /// The rules being walked, outermost first.
    path: Vec<RuleId>,
}

impl<'r> Survey<'r> {
    fn of(drafts: &'r [Draft], checks: &'r [Check]) -> Result<Vec<Shape>, PolicyError> {
        let known = vec![None; checks.len()];
        let mut survey = Survey { drafts, checks, known, path: Vec::new() };
        (0..checks.len()).map(|id| survey.rule(RuleId(id))).collect()
    }

    fn rule(&mut self, id: RuleId) -> Result<Shape, PolicyError> {
        if let Some(Some(shape)) = self.known.get(id.0) {
            return Ok(*shape);
        }
        if let Some(start) = self.path.iter().position(|visited| *visited == id) {
            let names = self.path.iter().skip(start).chain([&id]).map(|id| self.name(*id));
            let circle = names.collect::<Vec<_>>().join(" -> ");
            return Err(self.refuse(id, format!("rules refer to each other in a circle: {circle}")));
        }
        self.path.push(id);
        let shape = match self.checks.get(id.0) {
            Some(check) => self.check(check, id)?,
            None => Shape::default(),
        };
        self.path.pop();
        if let Some(slot) = self.known.get_mut(id.0) {
            *slot = Some(shape);
        }
        Ok(shape)
    }

    fn check(&mut self, check: &Check, of: RuleId) -> Result<Shape, PolicyError> {
        let depends_on_target = check.looks_at_target();
        let mut shape = Shape { depth: 1, cost: 1, depends_on_target };
        let mut add = |below: Shape| {
            shape.depth = shape.depth.max(below.depth.saturating_add(1));
            shape.cost = shape.cost.saturating_add(below.cost);
            shape.depends_on_target |= below.depends_on_target;
        };
        if let Check::Rule(id) = check {
            if self.path.len() > DEPTH_LIMIT {
                return Err(self.refuse(of, format!("refers more than {DEPTH_LIMIT} rules deep")));
            }
            add(self.rule(*id)?);
        }
        for member in check.members() {
            add(self.check(member, of)?);
        }
        if shape.depth > 4 * DEPTH_LIMIT || shape.cost > COST_LIMIT {
            return Err(self.refuse(of, "is too deep or too large with all it refers to".into()));
        }
        Ok(shape)
    }

    fn name(&self, id: RuleId) -> &'r str {
        self.drafts.get(id.0).map_or("", |draft| &draft.name)
    }

    fn refuse(&self, id: RuleId, problem: String) -> PolicyError {
        refusal(self.name(id), self.drafts.get(id.0).and_then(|draft| draft.line), problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::default_rule::{any, project};

    fn loaded(file: &str) -> Enforcer {
        Enforcer::new(DEFAULTS, Some(file)).unwrap()
    }

    fn refused(file: &str) -> PolicyError {
        Enforcer::new(DEFAULTS, Some(file)).unwrap_err()
    }

    fn allows(enforcer: &Enforcer, rule: &str, role: &str) -> bool {
        let roles = [role.to_owned()];
        let who = Credentials { roles: &roles, project_id: "p", ..Credentials::default() };
        enforcer.check(rule, &who, &())
    }

    #[test]
    fn an_override_replaces_a_default_and_keeps_its_scope() {
        let enforcer = loaded("create_flavor: role:planner\n");
        assert!(allows(&enforcer, "create_flavor", "planner"));
        assert!(!allows(&enforcer, "create_flavor", "admin"));
        let rule = enforcer.rule("create_flavor").unwrap();
        assert_eq!((rule.text(), rule.is_override()), ("role:planner", true));
        assert_eq!(rule.scopes(), [Scope::Project]);
        let roles = ["planner".to_owned()];
        let system =
            Credentials { roles: &roles, system_scope: Some("all"), ..Credentials::default() };
        assert_eq!(enforcer.decide(rule, &system, &()), Decision::WrongScope);
        assert!(enforcer.warnings().is_empty());
    }

    #[test]
    fn the_defaults_load_without_a_warning() {
        let enforcer = Enforcer::new(DEFAULTS, None).unwrap();
        assert_eq!(enforcer.rules().count(), 372);
        assert!(enforcer.warnings().is_empty(), "{:?}", enforcer.warnings());
        assert!(enforcer.rules().all(|rule| !rule.is_override()));
    }

    #[test]
    fn a_server_also_knows_the_rule_of_neutrons_library() {
        let enforcer = Enforcer::neutron(Some("context_can_set_project_id: role:x\n")).unwrap();
        assert!(allows(&enforcer, "context_can_set_project_id", "x"));
        assert!(enforcer.warnings().is_empty());
    }

    #[test]
    fn a_list_mask_may_ask_role_rules_once() {
        let enforcer = Enforcer::new(DEFAULTS, None).unwrap();
        assert!(!enforcer.depends_on_target("get_network:provider:physical_network"));
        assert!(enforcer.depends_on_target("get_network"));
        assert!(enforcer.depends_on_target("get_port:binding:no_such_attribute"));
    }

    #[test]
    fn an_unknown_rule_is_answered_by_the_default_one_or_denied() {
        let enforcer = Enforcer::new(DEFAULTS, None).unwrap();
        assert!(allows(&enforcer, "no_such_rule", "admin"));
        assert!(!allows(&enforcer, "no_such_rule", "member"));
        assert!(enforcer.rule("no_such_rule").is_none());
        let without = Enforcer::new(&[any("open", "@"), any("lost", "rule:x")], None).unwrap();
        assert!(allows(&without, "open", "member"));
        assert!(!allows(&without, "lost", "admin") && !allows(&without, "no_such_rule", "admin"));
        assert!(without.warnings()[0].contains("rule:x refers"));
    }

    #[test]
    fn an_unknown_override_is_warned_of_unless_another_rule_uses_it() {
        let enforcer =
            loaded("staff: role:staff\ncreate_flavor: rule:staff\ncreate_floavor: '@'\n");
        assert!(allows(&enforcer, "create_flavor", "staff"));
        assert_eq!(enforcer.warnings().len(), 1, "{:?}", enforcer.warnings());
        assert!(enforcer.warnings()[0].starts_with("line 3: there is no rule called \"create_flo"));
    }

    #[test]
    fn an_override_under_an_old_name_counts_unless_the_new_one_is_there() {
        let old = "update_networks_tags: role:tagger\n";
        let enforcer = loaded(old);
        assert!(allows(&enforcer, "update_network:tags", "tagger"));
        assert!(enforcer.warnings()[0].contains("called \"update_network:tags\" now"));
        let both = loaded(&format!("{old}update_network:tags: role:other\n"));
        assert!(!allows(&both, "update_network:tags", "tagger"));
        assert!(allows(&both, "update_network:tags", "other"));
        let pointing = loaded("update_networks_tags: rule:update_network:tags\n");
        assert!(!pointing.rule("update_network:tags").unwrap().is_override());
    }

    #[test]
    fn circles_are_refused_with_the_way_around() {
        let error = refused("a: rule:b\nb: not rule:c\nc: role:x or rule:a\n");
        assert_eq!(error.line, Some(1));
        assert!(error.problem.contains("a -> b -> c -> a"), "{error}");
        assert!(refused("default: rule:no_such_rule\n").problem.contains("default -> default"));
    }

    #[test]
    fn http_checks_are_refused_by_name() {
        let error = refused("\n\"create_port\": \"role:a or http://server/%(name)s\"\n");
        assert_eq!((error.line, error.rule.as_deref()), (Some(2), Some("create_port")));
        assert!(error.to_string().starts_with("policy, line 2, rule \"create_port\": \"http:\""));
    }

    #[test]
    fn a_rule_that_multiplies_is_refused() {
        let file: String =
            (0..40).map(|n| format!("r{n}: rule:r{m} or rule:r{m}\n", m = n + 1)).collect();
        assert!(refused(&format!("{file}r40: role:x\n")).problem.contains("too large"));
    }

    #[test]
    fn an_unanswerable_owner_check_denies_even_under_not() {
        let enforcer = loaded("a: not project_id:%(no_such)s\nb: not rule:network_owner\n");
        assert!(!allows(&enforcer, "a", "admin"));
        assert!(allows(&enforcer, "b", "admin"));
    }

    #[test]
    fn a_token_without_a_project_owns_nothing() {
        struct Unowned;
        impl Target for Unowned {
            fn get(&self, _key: &str) -> Option<std::borrow::Cow<'_, str>> {
                Some("".into())
            }
        }
        let enforcer = Enforcer::new(DEFAULTS, None).unwrap();
        assert!(!enforcer.check("owner", &Credentials::default(), &Unowned));
    }

    #[test]
    fn scopes_are_looked_at_before_the_rule() {
        let enforcer = Enforcer::new(&[project("a", "@"), any("b", "@")], None).unwrap();
        let who = Credentials { domain_id: Some("d"), ..Credentials::default() };
        let decide = |name: &str| enforcer.decide(enforcer.rule(name).unwrap(), &who, &());
        assert_eq!((decide("a"), decide("b")), (Decision::WrongScope, Decision::Allowed));
    }
}
