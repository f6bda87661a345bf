//! Rows for people: columns as wide as their widest cell.

use serde_json::Value;

use super::outcome::Failure;
use super::output::Output;

/// A column: its heading, and what stands in it for one item.
pub(crate) type Column<'a> = (&'a str, &'a dyn Fn(&Value) -> String);

/// Writes items as a table, or as one JSON value a line for programs. Without items people see nothing but the headings.
///
/// # Errors
/// When stdout is closed.
pub(crate) fn write(output: &Output, items: &[Value], columns: &[Column<'_>]) -> Result<(), Failure> {
    if output.is_json() {
        return items.iter().try_for_each(|item| output.data("", item));
    }
    output.data(table(items, columns), &Value::Null)
}

fn table(items: &[Value], columns: &[Column<'_>]) -> String {
    let headings: Vec<String> = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let rows = items.iter().map(|item| columns.iter().map(|(_, cell)| one_line(&cell(item))).collect());
    let rows: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
    let width = |place: usize| {
        rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A terminal takes what comes from elsewhere as text, never as a command.
fn one_line(cell: &str) -> String {
    cell.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A member as a cell: text as it is, nothing as a dash, anything else as JSON.
pub(crate) fn cell(item: &Value, member: &str) -> String {
    match item.get(member) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let items = [json!({"a": "é", "b": 12}), json!({"a": "long\u{1b}[2J", "b": null})];
        let columns: [Column<'_>; 2] = [("a", &|item| cell(item, "a")), ("count", &|item| cell(item, "b"))];
        assert_eq!(table(&items, &columns), "a         count\né         12\nlong [2J  -");
        assert_eq!(table(&[], &columns), "a  count");
    }
}
