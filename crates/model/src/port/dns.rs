//! How ports are named in the DNS: which names are accepted, and what each address is called. Not
//! here: an external DNS service.

use serde::Serialize;
use serde_json::Value as Json;
use wire::fault::{self, Result};
use wire::value::Value;

use crate::settings::Settings;

/// The longest name in the DNS.
const LONGEST: usize = 255;

/// The domain under which nobody has set up a DNS.
const DEFAULT_DOMAIN: &str = "openstacklocal.";

/// The configured domain with a dot at its end; empty without one.
fn domain(settings: &Settings) -> String {
    let domain = settings.dns_domain.to_lowercase();
    if domain.is_empty() || domain.ends_with('.') { domain } else { format!("{domain}.") }
}

/// True when ports can be given names.
/// PARITY: without a domain, and with the default one, Neutron accepts `dns_name` and `dns_domain`
/// of ports and forgets them.
pub fn is_served(settings: &Settings) -> bool {
    is_chosen(&domain(settings))
}

fn is_chosen(domain: &str) -> bool {
    !domain.is_empty() && domain != DEFAULT_DOMAIN
}

/// Checks that a name fits the configured domain: a relative one together with it, an absolute one
/// as a part of it.
///
/// # Errors
/// `HTTPBadRequest`.
pub fn check(settings: &Settings, name: &str) -> Result<()> {
    if name.is_empty() || !is_served(settings) {
        return Ok(());
    }
    let parent = format!(".{}", domain(settings));
    if !name.ends_with('.') {
        if name.len() + parent.len() > LONGEST {
            return Err(fault::bad_request(format!(
                "'dns_name' must have at most {} characters before the domain '{}', not {}.",
                LONGEST.saturating_sub(parent.len()),
                settings.dns_domain,
                name.len()
            )));
        }
        return Ok(());
    }
    if name.len() <= parent.len() || !name.ends_with(&parent) {
        return Err(fault::bad_request(format!(
            "'dns_name' must be relative or a name in the domain '{}', not '{name}'.",
            settings.dns_domain
        )));
    }
    Ok(())
}

/// What one address of a port is called.
#[derive(Serialize)]
pub struct Named<'a> {
    /// The address.
    pub ip_address: &'a str,
    /// Its name.
    pub hostname: String,
    /// Its name with the domain, and a dot at the end where there is one.
    pub fqdn: String,
}

/// Names the addresses of many ports.
pub struct Namer {
    domain: String,
    is_chosen: bool,
}

impl Namer {
    /// Names them under the configured domain.
    pub fn of(settings: &Settings) -> Self {
        let domain = domain(settings);
        Self { is_chosen: is_chosen(&domain), domain }
    }

    /// The names of an address of the port with this `dns_name`.
    pub fn named<'a>(&self, name: &str, ip_address: &'a str) -> Named<'a> {
        let hostname = match name {
            name if self.is_chosen && !name.is_empty() => name.to_owned(),
            _ => ["host-", &ip_address.replace(['.', ':'], "-")].concat(),
        };
        let fqdn = match hostname.ends_with('.') || self.domain.is_empty() {
            true => hostname.clone(),
            false => [&hostname, ".", &self.domain].concat(),
        };
        Named { ip_address, hostname, fqdn }
    }

    /// `dns_assignment`: the names of a port's addresses, which are given as `fixed_ips`. It is
    /// only shown, so it is written at once.
    pub fn assignment(&self, name: &str, fixed_ips: &Json) -> Value {
        let ips = fixed_ips.as_array().map(Vec::as_slice).unwrap_or_default();
        let ips = ips.iter().filter_map(|ip| ip.get("ip_address")?.as_str());
        let assignment: Vec<_> = ips.map(|ip| self.named(name, ip)).collect();
        // These types always serialise.
        serde_json::to_string(&assignment).map_or(Value::Null, Value::written)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(domain: &str) -> Settings {
        Settings { dns_domain: domain.into(), ..Settings::default() }
    }

    fn assignment(settings: &Settings, name: &str, fixed_ips: &Json) -> Json {
        Namer::of(settings).assignment(name, fixed_ips).to_json()
    }

    #[test]
    fn addresses_of_a_nameless_port_are_called_after_themselves() {
        let ips = json!([{"ip_address": "192.0.2.7"}, {"ip_address": "2001:db8::7"}]);
        let named = assignment(&settings("example.org"), "", &ips);
        assert_eq!(
            named,
            json!([
                {"ip_address": "192.0.2.7", "hostname": "host-192-0-2-7",
                 "fqdn": "host-192-0-2-7.example.org."},
                {"ip_address": "2001:db8::7", "hostname": "host-2001-db8--7",
                 "fqdn": "host-2001-db8--7.example.org."},
            ])
        );
        let plain = assignment(&settings(""), "vm1", &ips);
        assert_eq!(plain[0]["fqdn"], "host-192-0-2-7");
    }

    #[test]
    fn a_name_counts_only_under_a_domain_that_somebody_chose() {
        let ips = json!([{"ip_address": "192.0.2.7"}]);
        let chosen = assignment(&settings("Example.org."), "vm1", &ips);
        assert_eq!(chosen[0]["fqdn"], "vm1.example.org.");
        let absolute = assignment(&settings("example.org"), "vm1.example.org.", &ips);
        assert_eq!(absolute[0]["fqdn"], "vm1.example.org.");
        let default = assignment(&settings("openstacklocal"), "vm1", &ips);
        assert_eq!(default[0]["fqdn"], "host-192-0-2-7.openstacklocal.");
        assert_eq!(assignment(&settings("example.org"), "vm1", &json!([])), json!([]));
    }

    #[test]
    fn an_absolute_name_has_to_be_in_the_domain() {
        let settings = settings("example.org");
        for good in ["", "vm1", "vm1.example.org.", "a.b.example.org."] {
            assert!(check(&settings, good).is_ok(), "{good}");
        }
        for bad in ["vm1.example.net.", "example.org.", "vm1.notexample.org."] {
            assert!(check(&settings, bad).is_err(), "{bad}");
        }
        let long = "a".repeat(60) + &".aaaaaaaaa".repeat(19);
        assert!(check(&settings, &long).is_err());
        assert!(check(&self::settings("openstacklocal"), "vm1.example.net.").is_ok());
    }
}
