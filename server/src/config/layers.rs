//! Layering: a tree of values, and for each leaf the layer that set it last.
//!
//! The defaults are the schema: their tree says which keys exist, and their types how text is read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Config;
use super::suggest::nearest;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by its name.
    Environment(String),
    /// A flag, by its name.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// A configuration that cannot be used, with the place of the trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Settings of the site, whose names are free.
const SITE: &str = "superdesk.";
/// What the names of secrets end with.
const SECRETS: [&str; 4] = ["PASSWORD", "SECRET", "TOKEN", "_KEY"];
/// A table of connection strings, which may have passwords in them.
const CONNECTIONS: &str = "superdesk.ODBC_CONNECTIONS";

/// Names with our prefix that are not settings.
const NOT_SETTINGS: [&str; 5] =
    ["DATELINE_ADMIN_PASSWORD", "DATELINE_CONFIG", "DATELINE_PASSWORD", "DATELINE_TOKEN", "DATELINE_URL"];

/// The layers put on so far.
#[derive(Clone, Debug)]
pub struct Layers {
    tree: Value,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// The defaults.
    ///
    /// # Errors
    /// Never in practice: the defaults are plain data.
    pub fn defaults() -> Result<Self, ConfigError> {
        let tree = serde_json::to_value(Config::new()).map_err(|error| ConfigError(error.to_string()))?;
        Ok(Self { tree, origins: BTreeMap::new() })
    }

    /// Puts a file on top: JSON if its name ends in `.json`, else TOML.
    ///
    /// # Errors
    /// When it cannot be read or parsed, or holds an unknown key.
    pub fn file(self, path: &Path) -> Result<Self, ConfigError> {
        let place = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError(format!("{place}: {error}")))?;
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        self.text(&text, is_json, path)
    }

    pub(crate) fn text(mut self, text: &str, is_json: bool, path: &Path) -> Result<Self, ConfigError> {
        let place = path.display();
        let parsed: Result<Value, String> = if is_json {
            serde_json::from_str(text).map_err(|error| error.to_string())
        } else {
            toml::from_str(text).map_err(|error| error.to_string())
        };
        let tree = parsed.map_err(|error| ConfigError(format!("{place}: {error}")))?;
        let Value::Object(tree) = tree else {
            return Err(ConfigError(format!("{place}: expected a table of settings")));
        };
        let origin = Origin::File(path.to_owned());
        merge(&mut self.tree, tree, "", &origin, &mut self.origins)
            .map_err(|error| ConfigError(format!("{place}: {error}")))?;
        Ok(self)
    }

    /// Puts environment variables on top: `DATELINE_TLS_CERT` sets `tls.cert`. Returns warnings about names that look
    /// like ours but are not (`DATELINE_SUPERDESK_MAIL_SERVER` sets `superdesk.MAIL_SERVER`); they are no error, because orchestrators invent such names for a service of our name.
    ///
    /// # Errors
    /// When a value does not have the form its key needs.
    pub fn environment(
        mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let known: BTreeMap<String, String> =
            self.leaves().into_iter().map(|(key, _)| (variable_name(&key), key)).collect();
        let mut warnings = Vec::new();
        for (name, value) in variables {
            if !name.starts_with("DATELINE_") || NOT_SETTINGS.contains(&name.as_str()) {
                continue;
            }
            if let Some(own) = name.strip_prefix("DATELINE_SUPERDESK_") {
                self.set(&format!("{SITE}{own}"), &value, Origin::Environment(name.clone()))?;
                continue;
            }
            match known.get(&name) {
                Some(key) => self.set(key, &value, Origin::Environment(name.clone()))?,
                None => {
                    let meant = nearest(&name, known.keys().map(String::as_str));
                    warnings.push(unknown("environment variable", &name, meant));
                }
            }
        }
        Ok((self, warnings))
    }

    /// Sets one key from a flag.
    ///
    /// # Errors
    /// When the key is unknown or the value does not have its form.
    pub fn flag(mut self, key: &str, value: &str, flag: &str) -> Result<Self, ConfigError> {
        self.set(key, value, Origin::Flag(flag.to_owned()))?;
        Ok(self)
    }

    fn set(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        if let Some(name) = key.strip_prefix(SITE).filter(|name| !name.is_empty() && !name.contains('.')) {
            return self.set_of_site(key, name, text, origin);
        }
        let pointer = format!("/{}", key.replace('.', "/"));
        let Some(slot) = self.tree.pointer_mut(&pointer) else {
            return Err(ConfigError(unknown("setting", key, None)));
        };
        let parsed = match slot {
            Value::Bool(_) => text.parse().ok().map(Value::Bool),
            Value::Number(_) => text.parse::<u64>().ok().map(Value::from),
            Value::Array(_) => Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()),
            _ => Some(Value::from(text)),
        };
        let wanted = kind(slot);
        *slot = parsed.ok_or_else(|| ConfigError(format!("{origin}: '{text}' is not {wanted}")))?;
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    /// A setting of the site: its name is free, and what reads as JSON is that.
    fn set_of_site(&mut self, key: &str, name: &str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let Some(Value::Object(site)) = self.tree.get_mut("superdesk") else {
            return Err(ConfigError(unknown("setting", key, None)));
        };
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        site.insert(name.to_owned(), value);
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    /// The resulting configuration.
    ///
    /// # Errors
    /// When a value has the wrong type or two values do not go together.
    pub fn finish(&self) -> Result<Config, ConfigError> {
        let config: Config =
            serde_json::from_value(self.tree.clone()).map_err(|error| ConfigError(error.to_string()))?;
        if config.tls.cert.is_some() != config.tls.key.is_some() {
            return Err(ConfigError("tls.cert and tls.key go together".to_owned()));
        }
        if config.limits.scans_max == 0 || config.limits.connections_max == 0 {
            return Err(ConfigError("limits.scans_max and limits.connections_max are at least 1".to_owned()));
        }
        if config.limits.socket_stall_s == 0 || config.limits.socket_silence_s == 0 {
            let text = "limits.socket_stall_s and limits.socket_silence_s are at least 1";
            return Err(ConfigError(text.to_owned()));
        }
        config.engine.tuning().check().map_err(|error| ConfigError(format!("engine.{error}")))?;
        Ok(config)
    }

    /// Every setting: key, value, origin. Of secrets only that they are there.
    #[must_use]
    pub fn show(&self) -> Vec<(String, Value, Origin)> {
        let origin = |key: &str| self.origins.get(key).cloned().unwrap_or(Origin::Default);
        let shown = |key: &str, value| match key {
            key if is_secret(key) => Value::from("(hidden)"),
            "macros" => without_secrets(value),
            _ => value,
        };
        self.leaves()
            .into_iter()
            .map(|(key, value)| (key.clone(), shown(&key, value), origin(&key)))
            .collect()
    }

    fn leaves(&self) -> Vec<(String, Value)> {
        let mut leaves = Vec::new();
        collect(&self.tree, "", &mut leaves);
        leaves
    }
}

fn is_secret(key: &str) -> bool {
    key.starts_with(CONNECTIONS) || key.starts_with(SITE) && SECRETS.iter().any(|end| key.ends_with(end))
}

/// Macros, of whose secrets only shows that they are there.
fn without_secrets(mut macros: Value) -> Value {
    for own in macros.as_array_mut().into_iter().flatten() {
        if let Some(secret) = own.get_mut("secret") {
            *secret = Value::from("(hidden)");
        }
    }
    macros
}

fn collect(tree: &Value, prefix: &str, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in tree.as_object().into_iter().flatten() {
        let key = join(prefix, name);
        match value {
            Value::Object(_) => collect(value, &key, leaves),
            leaf => leaves.push((key, leaf.clone())),
        }
    }
}

fn merge(
    into: &mut Value,
    from: Map<String, Value>,
    prefix: &str,
    origin: &Origin,
    origins: &mut BTreeMap<String, Origin>,
) -> Result<(), String> {
    let Value::Object(into) = into else { return Err(format!("{prefix} is not a table")) };
    for (name, value) in from {
        let key = join(prefix, &name);
        let open = prefix == "superdesk";
        match (into.get_mut(&name), value) {
            (None, _) if !open => {
                let meant = nearest(&name, into.keys().map(String::as_str)).map(|meant| join(prefix, meant));
                return Err(unknown("setting", &key, meant.as_deref()));
            }
            (Some(slot @ Value::Object(_)), Value::Object(table)) if !open => {
                merge(slot, table, &key, origin, origins)?;
            }
            (Some(slot), value) if !open && !fits(slot, &value) => {
                return Err(format!("{key} is {}, not {}", kind(slot), kind(&value)));
            }
            (_, value) => {
                into.insert(name, value);
                origins.insert(key, origin.clone());
            }
        }
    }
    Ok(())
}

/// Whether a file's value can stand for a default's. An absent default is a text.
fn fits(slot: &Value, value: &Value) -> bool {
    match (slot, value) {
        (Value::Null, Value::String(_)) => true,
        (Value::Number(_), Value::Number(number)) => number.is_u64(),
        _ => std::mem::discriminant(slot) == std::mem::discriminant(value),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a whole number",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
        Value::Null | Value::String(_) => "a text",
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn variable_name(key: &str) -> String {
    format!("DATELINE_{}", key.replace('.', "_").to_uppercase())
}

fn unknown(what: &str, name: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("unknown {what} '{name}'; did you mean '{meant}'?"),
        None => format!("unknown {what} '{name}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Result<Layers, ConfigError> {
        Layers::defaults().unwrap().text(text, false, Path::new("a.toml"))
    }

    #[test]
    fn later_layers_win_and_say_so() {
        let layers =
            toml("listen = \"127.0.0.1:1\"\n[limits]\ndrain_s = 3\n[tls]\ncert = \"c\"\nkey = \"k\"\n")
                .unwrap();
        let variables = [("DATELINE_LISTEN", "127.0.0.1:2"), ("DATELINE_HOSTS", "a, b"), ("HOME", "/")];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (layers, warnings) = layers.environment(variables).unwrap();
        let layers = layers.flag("listen", "127.0.0.1:3", "listen").unwrap();
        let config = layers.finish().unwrap();
        assert_eq!((config.listen.as_str(), config.limits.drain_s), ("127.0.0.1:3", 3));
        assert_eq!(config.hosts, ["a", "b"]);
        assert!(warnings.is_empty());
        let origin = |key: &str| layers.show().into_iter().find(|row| row.0 == key).unwrap().2.to_string();
        assert_eq!(origin("listen"), "flag --listen");
        assert_eq!(origin("hosts"), "env DATELINE_HOSTS");
        assert_eq!(origin("limits.drain_s"), "file a.toml");
        assert_eq!(origin("limits.header_read_s"), "default");
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_refused() {
        let check = |text: &str, message: &str| {
            let error = toml(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        check("lisen = \"x\"", "unknown setting 'lisen'; did you mean 'listen'?");
        check("[limits]\ndrain = 1", "unknown setting 'limits.drain'; did you mean 'limits.drain_s'?");
        check("[limits]\ndrain_s = \"1\"", "limits.drain_s is a whole number, not a text");
        check("[limits]\ndrain_s = -1", "limits.drain_s is a whole number");
        check("listen = 3", "listen is a text, not a whole number");
        check("limits = 3", "limits is a table");
        check("listen = ", "a.toml");
        assert!(toml("[tls]\ncert = \"c\"").unwrap().finish().is_err());
        assert!(toml("[log]\nformat = \"xml\"").unwrap().finish().is_err());
        let engine = |text: &str| toml(&format!("[engine]\n{text}")).unwrap().finish();
        let refused = |text: &str| engine(text).unwrap_err().to_string();
        assert!(refused("block_bytes = 1").contains("engine.block_bytes is 1; 512 to"));
        assert!(refused("filter = \"cuckoo\"").contains("`ribbon`"));
        assert!(engine("compression = \"zstd\"\nfilter_bits = 12").is_ok());
    }

    #[test]
    fn json_files_site_settings_and_strange_variables() {
        let text =
            r#"{"superdesk": {"MAIL_PORT": 25, "X": {"y": [1]}}, "egress": {"allow": ["10.0.0.0/8"]}}"#;
        let layers = Layers::defaults().unwrap().text(text, true, Path::new("a.json")).unwrap();
        let config = layers.finish().unwrap();
        assert_eq!(config.superdesk["MAIL_PORT"], 25);
        assert_eq!(config.egress.allow, ["10.0.0.0/8"]);
        let variables =
            [("DATELINE_LISTN", "x"), ("DATELINE_ADMIN_PASSWORD", "x"), ("DATELINE_PORT", "tcp://1")];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (layers, warnings) = layers.environment(variables).unwrap();
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].contains("did you mean 'DATELINE_LISTEN'"), "{warnings:?}");
        let site = [("DATELINE_SUPERDESK_MAIL_PASSWORD".to_owned(), "p w".to_owned())];
        let (layers, warnings) = layers.environment(site.into_iter()).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let layers = layers.flag("superdesk.MAIL_PORT", "2525", "set").unwrap();
        let layers = layers.flag("superdesk.ADMINS", r#"["a@b"]"#, "set").unwrap();
        assert!(layers.clone().flag("superdesk.", "x", "set").is_err());
        let shown = layers.show().into_iter().find(|row| row.0 == "superdesk.MAIL_PASSWORD").unwrap();
        assert_eq!(shown.1, "(hidden)");
        let config = layers.clone().finish().unwrap();
        assert_eq!(
            (&config.superdesk["MAIL_PORT"], &config.superdesk["MAIL_PASSWORD"]),
            (&2525.into(), &"p w".into())
        );
        assert_eq!(config.superdesk["ADMINS"][0], "a@b");
        let text = "[[macros]]\nname = \"m\"\nurl = \"https://example.com\"\nsecret = \"s3cret\"\n";
        let macros = toml(text).unwrap();
        assert!(!format!("{:?}", macros.show()).contains("s3cret"));
        assert_eq!(macros.finish().unwrap().macros[0].timeout_s, 10);
        let bad = [("DATELINE_LIMITS_DRAIN_S".to_owned(), "soon".to_owned())];
        assert!(layers.environment(bad.into_iter()).is_err());
    }
}
