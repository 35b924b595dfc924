//! Times a few decisions: `cargo run --release -p nucleon-policy --example speed`.

use policy::check::Target;
use policy::credentials::Credentials;
use policy::defaults::DEFAULTS;
use policy::enforcer::Enforcer;
use std::borrow::Cow;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

struct Owned;

impl Target for Owned {
    fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        matches!(key, "project_id" | "network:project_id").then_some(Cow::Borrowed("p"))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const ROUNDS: u32 = 2_000_000;
    let start = Instant::now();
    let enforcer = Enforcer::new(DEFAULTS, None)?;
    let mut out = std::io::stdout();
    writeln!(out, "load of all defaults       {:>8.0} us", start.elapsed().as_secs_f64() * 1e6)?;
    let roles = ["member".to_owned(), "reader".to_owned()];
    let who = Credentials { roles: &roles, project_id: "p", ..Credentials::default() };
    for name in
        ["context_is_admin", "admin_only", "create_network", "get_subnet", "create_port:fixed_ips"]
    {
        let Some(rule) = enforcer.rule(name) else { continue };
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(enforcer.decide(black_box(rule), black_box(&who), &Owned));
        }
        let resolved = start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS);
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(enforcer.check(black_box(name), black_box(&who), &Owned));
        }
        let named = start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS);
        writeln!(out, "{name:<24} {resolved:>8.0} ns resolved {named:>8.0} ns by name")?;
    }
    Ok(())
}
