//! Where Nova is: the address given by the operator, or the one in Keystone's catalog.

use anyhow::{Context as _, bail};
use http::Uri;
use identity::keystone::client::Client;
use serde_json::Value as Json;
use tokio::sync::Mutex;

/// How Nova is found.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Its address, such as `https://nova.internal:8774/v2.1`; without one, Keystone is asked.
    pub url: Option<String>,
    /// The region in the catalog; without one, the first that is there.
    pub region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub interface: String,
}

/// Nova's address, once it is known.
pub struct Endpoint {
    settings: Settings,
    found: Mutex<Option<Uri>>,
}

impl Endpoint {
    /// Looks for it on the first use, not before: Nova may start later than we do.
    ///
    /// # Errors
    /// The address given is none.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let given = settings.url.as_deref().map(events_uri).transpose()?;
        Ok(Self { settings, found: Mutex::new(given) })
    }

    /// The address to which events are posted.
    ///
    /// # Errors
    /// Keystone cannot be asked, or its catalog has no Nova like this.
    pub async fn get(&self, keystone: &Client) -> anyhow::Result<Uri> {
        let mut found = self.found.lock().await;
        if let Some(uri) = &*found {
            return Ok(uri.clone());
        }
        let catalog: Json = serde_json::from_slice(&keystone.catalog().await?)
            .context("Keystone's catalog cannot be read")?;
        let region = self.settings.region.as_deref();
        let interface = &self.settings.interface;
        let Some(url) = find(&catalog, region, interface) else {
            bail!(
                "Keystone's catalog has no {interface} endpoint of type compute in {}",
                region.map_or_else(|| "any region".to_owned(), |name| format!("region {name}"))
            );
        };
        let uri = events_uri(url)?;
        *found = Some(uri.clone());
        Ok(uri)
    }

    /// It was not where we thought: a found one is looked for again.
    pub async fn forget(&self) {
        if self.settings.url.is_none() {
            *self.found.lock().await = None;
        }
    }
}

fn events_uri(base: &str) -> anyhow::Result<Uri> {
    let uri: Uri = format!("{}/os-server-external-events", base.trim_end_matches('/'))
        .parse()
        .with_context(|| format!("the address of Nova {base} is no URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        bail!("the address of Nova {base} does not begin with http:// or https://");
    }
    Ok(uri)
}

fn find<'a>(catalog: &'a Json, region: Option<&str>, interface: &str) -> Option<&'a str> {
    let services = catalog.get("catalog")?.as_array()?;
    let is_text = |json: &Json, name: &str, text: &str| {
        json.get(name).and_then(Json::as_str).is_some_and(|found| found == text)
    };
    services
        .iter()
        .filter(|service| is_text(service, "type", "compute"))
        .filter_map(|service| service.get("endpoints")?.as_array())
        .flatten()
        .filter(|endpoint| is_text(endpoint, "interface", interface))
        .find(|endpoint| {
            region.is_none_or(|name| {
                is_text(endpoint, "region_id", name) || is_text(endpoint, "region", name)
            })
        })?
        .get("url")?
        .as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_catalog_is_searched_by_type_interface_and_region() {
        let endpoint = |interface: &str, region: &str| {
            json!({"interface": interface, "region_id": region,
                   "url": format!("http://{interface}.{region}")})
        };
        let catalog = json!({"catalog": [
            {"type": "image", "endpoints": [endpoint("public", "One")]},
            {"type": "compute", "endpoints": [
                endpoint("admin", "One"), endpoint("public", "One"), endpoint("public", "Two"),
            ]},
        ]});
        assert_eq!(find(&catalog, None, "public"), Some("http://public.One"));
        assert_eq!(find(&catalog, Some("Two"), "public"), Some("http://public.Two"));
        assert_eq!(find(&catalog, Some("Two"), "admin"), None);
        assert_eq!(find(&json!({}), None, "public"), None);
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        assert_eq!(
            events_uri("http://nova:8774/v2.1/").unwrap().path(),
            "/v2.1/os-server-external-events"
        );
        for url in ["nova", "ftp://nova", "http://no va"] {
            assert!(events_uri(url).is_err(), "{url}");
        }
    }
}
