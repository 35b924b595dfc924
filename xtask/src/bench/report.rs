//! What was measured, as a table for people and as JSON for programs.

use serde_json::{Map, Value, json};

use super::load::Outcome;
use super::scenario::{Goal, Scenario};

/// One line of the table.
pub struct Row {
    name: String,
    goal: String,
    neutron: String,
    measured: String,
    met: bool,
    numbers: Map<String, Value>,
}

impl Row {
    /// Of a scenario that was run.
    pub fn of(scenario: &Scenario, outcome: &Outcome) -> Self {
        let latencies = &outcome.latencies;
        let (rate, most) = (outcome.rate(), latencies.most());
        let (p50, p99) = (latencies.quantile(0.5), latencies.quantile(0.99));
        let Goal { rate: least, p50: p50_most, p99: p99_most } = scenario.goal;
        let met = outcome.errors == 0
            && latencies.count() > 0
            && least.is_none_or(|least| rate >= least)
            && p50_most.is_none_or(|most| p50 <= most)
            && p99_most.is_none_or(|most| p99 <= most);
        let goals = [
            least.map(|it| format!("≥ {it}/s")),
            p50_most.map(|it| format!("p50 ≤ {it} ms")),
            p99_most.map(|it| format!("p99 ≤ {it} ms")),
        ];
        let mut measured =
            format!("{rate:.1}/s, p50 {p50:.2} ms, p99 {p99:.2} ms, max {most:.1} ms");
        if let Some(error) = &outcome.first_error {
            let error: String = error.chars().take(200).collect();
            measured.push_str(&format!("; {} ERRORS, the first: {error}", outcome.errors));
        }
        let numbers = json!({
            "requests": latencies.count(), "errors": outcome.errors, "per_second": rate,
            "p50_ms": p50, "p99_ms": p99, "max_ms": most,
        });
        Row {
            name: scenario.name.to_owned(),
            goal: goals.into_iter().flatten().collect::<Vec<_>>().join(", "),
            neutron: scenario.neutron.to_owned(),
            measured,
            met,
            numbers: numbers.as_object().cloned().unwrap_or_default(),
        }
    }

    /// Of one number that shall not be greater than the bound.
    pub fn single(name: String, unit: &str, value: f64, bound: f64) -> Self {
        let mut numbers = Map::new();
        numbers.insert("value".to_owned(), json!(value));
        numbers.insert("unit".to_owned(), json!(unit));
        Row {
            name,
            goal: format!("≤ {bound} {unit}"),
            neutron: String::new(),
            measured: format!("{value:.1} {unit}"),
            met: value <= bound,
            numbers,
        }
    }

    /// The line while the others are still to come.
    pub fn line(&self) -> String {
        let Row { name, goal, neutron, measured, met, .. } = self;
        let met = if *met { "met" } else { "MISSED" };
        let neutron = if neutron.is_empty() { String::new() } else { format!(" [{neutron}]") };
        format!("{name:<22} {met:<6} {goal}{neutron}\n{:<29} {measured}", "")
    }

    fn json(&self) -> Value {
        let mut row = self.numbers.clone();
        row.insert("name".to_owned(), json!(self.name));
        row.insert("goal".to_owned(), json!(self.goal));
        row.insert("neutron".to_owned(), json!(self.neutron));
        row.insert("met".to_owned(), json!(self.met));
        Value::Object(row)
    }
}

/// The whole table, the goals beside what was measured and Neutron's figures in brackets.
pub fn table(rows: &[Row]) -> String {
    let met = rows.iter().filter(|row| row.met).count();
    let lines: Vec<_> = rows.iter().map(Row::line).collect();
    format!("{}\n{met} of {} goals met", lines.join("\n"), rows.len())
}

/// The same for programs.
pub fn json(rows: &[Row], clients: usize, seconds: usize) -> Value {
    json!({
        "clients": clients,
        "seconds": seconds,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
    })
}
