//! The call of a stored procedure, in the words of a database.

use serde_json::{Map, Value};

/// A call; its names are identifiers and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    procedure: String,
    arguments: Vec<Argument>,
}

/// A parameter by name, and its value; nothing for a value that counts as absent (null, false, 0, an empty text or list).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argument {
    name: String,
    value: Option<String>,
}

/// How a database is told the names of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `EXEC p @a=?`
    SqlServer,
    /// `CALL p("a" => ?)`
    PostgreSql,
    /// `{CALL p(?)}`: by their order, which is that of the item's keys.
    Positional,
}

impl Dialect {
    /// The dialect of what a driver calls its database.
    #[cfg_attr(not(feature = "odbc"), expect(dead_code, reason = "only a driver knows its database"))]
    pub(super) fn of(database: &str) -> Dialect {
        match database {
            "Microsoft SQL Server" => Dialect::SqlServer,
            "PostgreSQL" => Dialect::PostgreSql,
            _ => Dialect::Positional,
        }
    }
}

impl Call {
    /// # Errors
    /// A sentence if the procedure or a key is no identifier.
    pub(super) fn new(procedure: &str, fields: &Map<String, Value>) -> Result<Call, String> {
        let parts = procedure.split('.');
        if parts.clone().count() > 3 || !parts.clone().all(is_identifier) {
            return Err("stored_procedure is no name of a procedure".to_owned());
        }
        let mut arguments = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            if !is_identifier(name) {
                return Err("a key of the formatted item is no name of a parameter".to_owned());
            }
            arguments.push(Argument { name: name.clone(), value: text(value) });
        }
        Ok(Call { procedure: procedure.to_owned(), arguments })
    }

    /// The statement with a question mark for each value, and the values. Where parameters have names, absent values are
    /// left out and the procedure's defaults count; where they have places, an absent value is NULL.
    #[cfg_attr(not(any(test, feature = "odbc")), expect(dead_code, reason = "only a driver runs statements"))]
    pub(super) fn statement(&self, dialect: Dialect) -> (String, Vec<Option<&str>>) {
        let procedure = &self.procedure;
        let given = self.arguments.iter().filter(|argument| argument.value.is_some());
        let named = |write: fn(&str) -> String| {
            given.clone().map(|argument| write(&argument.name)).collect::<Vec<_>>().join(", ")
        };
        let statement = match dialect {
            Dialect::SqlServer => format!("EXEC {procedure} {}", named(|name| format!("@{name}=?"))),
            // In lower case, as a name is that was declared without quotes.
            Dialect::PostgreSql => {
                format!("CALL {procedure}({})", named(|name| format!("\"{}\" => ?", name.to_lowercase())))
            }
            Dialect::Positional => {
                let places = vec!["?"; self.arguments.len()].join(", ");
                let values = self.arguments.iter().map(|argument| argument.value.as_deref()).collect();
                return (format!("{{CALL {procedure}({places})}}"), values);
            }
        };
        (statement, given.map(|argument| argument.value.as_deref()).collect())
    }
}

/// ASCII letters, digits and underscores, at most as long as every database has them.
fn is_identifier(name: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= 63 && name.starts_with(|first: char| !first.is_ascii_digit()) && name.bytes().all(is_char)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        Value::Number(number) => (number.as_f64() != Some(0.0)).then(|| number.to_string()),
        Value::Array(list) if list.is_empty() => None,
        Value::Object(fields) if fields.is_empty() => None,
        value => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(procedure: &str, fields: Value) -> Result<Call, String> {
        Call::new(procedure, fields.as_object().unwrap())
    }

    #[test]
    fn values_are_never_in_a_statement() {
        let evil = "'); DROP TABLE news; --";
        let call =
            call("wire.put", json!({"headLine": evil, "urgency": 3, "none": null, "byline": ""})).unwrap();
        let check = |dialect, statement: &str, values: &[Option<&str>]| {
            assert_eq!(call.statement(dialect), (statement.to_owned(), values.to_vec()));
        };
        check(Dialect::SqlServer, "EXEC wire.put @headLine=?, @urgency=?", &[Some(evil), Some("3")]);
        check(
            Dialect::PostgreSql,
            "CALL wire.put(\"headline\" => ?, \"urgency\" => ?)",
            &[Some(evil), Some("3")],
        );
        check(Dialect::Positional, "{CALL wire.put(?, ?, ?, ?)}", &[Some(evil), Some("3"), None, None]);
    }

    #[test]
    fn names_are_identifiers() {
        for name in ["", "a;b", "a b", "1a", "a.b.c.d", "a..b", "p(1)", "p--", "[p]", "é", &"x".repeat(64)] {
            assert!(call(name, json!({})).is_err(), "{name}");
        }
        for key in ["", "a=1", "a, @b", "a-b", "@a", "a\"", "a\0"] {
            assert!(call("p", json!({key: "x"})).is_err(), "{key}");
        }
        assert!(call("db.dbo.put_News2", json!({"_a": [1], "b": {"c": true}})).is_ok());
    }
}
