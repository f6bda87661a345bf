//! Tests of the query language.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Node> {
    super::parse(text, DefaultOperator::And)
}

/// The tree in one line.
fn show(node: &Node) -> String {
    let list = |nodes: &[Node], word: &str| {
        let nodes: Vec<_> = nodes.iter().map(show).collect();
        format!("({})", nodes.join(word))
    };
    match node {
        Node::All => "ALL".to_owned(),
        Node::And(nodes) => list(nodes, " & "),
        Node::Or(nodes) => list(nodes, " | "),
        Node::Not(node) => format!("!{}", show(node)),
        Node::Leaf(leaf) => {
            let field = leaf.field.as_ref().map(|field| format!("{field}=")).unwrap_or_default();
            let test = match &leaf.test {
                Test::Word(word) => word.clone(),
                Test::Phrase(phrase) => format!("'{phrase}'"),
                Test::Prefix(prefix) => format!("{prefix}~"),
                Test::Exists => "?".to_owned(),
                Test::Range(lower, upper) => format!("{lower:?}..{upper:?}"),
            };
            format!("{field}{test}@{}", leaf.at)
        }
    }
}

#[test]
fn trees() {
    let check = |text: &str, tree: &str| assert_eq!(show(&parse(text).unwrap()), tree, "{text}");
    check("", "ALL");
    check("  ", "ALL");
    check("*", "ALL");
    check("red", "red@1");
    check("red bike", "(red@1 & bike@5)");
    check("red AND bike", "(red@1 & bike@9)");
    check("a OR b c", "(a@1 | (b@6 & c@8))");
    check("(a OR b) c", "((a@2 | b@7) & c@10)");
    check("-a b", "(!a@2 & b@4)");
    check("NOT a", "!a@5");
    check("a NOT (b c)", "(a@1 & !(b@8 & c@10))");
    check("+a - b", "(a@2 & -@4 & b@6)");
    check("\"red bike\"", "'red bike'@1");
    check("\"a \\\" b\"", "'a \" b'@1");
    check("bik*", "bik~@1");
    check("title:red", "title=red@1");
    check("title:\"red bike\"", "title='red bike'@1");
    check("a.b:(c OR -d)", "(a.b=c@6 | !a.b=d@12)");
    check("at:2024-01-01T10:00:00Z", "at=2024-01-01T10:00:00Z@1");
    check("title:*", "title=?@1");
    check("brand:sa*", "brand=sa~@1");
    check("price:[1 TO 5]", "price=Included(\"1\")..Included(\"5\")@1");
    check("price:{1 TO *}", "price=Excluded(\"1\")..Unbounded@1");
    check("price:[ \"a b\" TO c }", "price=Included(\"a b\")..Excluded(\"c\")@1");
    check("price:>=5", "price=Included(\"5\")..Unbounded@1");
    check("-price:<5.5", "!price=Unbounded..Excluded(\"5.5\")@2");
    check("é ü:x", "(é@1 & ü=x@3)");
    check("a\\:b \\AND c\\*", "(a:b@1 & AND@6 & c*@11)");
    check("a:b:(c)", "(a=b:@1 & c@6)");
    check("and or not", "(and@1 & or@5 & not@8)");
    check("NOTE ORDER ANDY", "(NOTE@1 & ORDER@6 & ANDY@12)");
    check("e-mail 9>3", "(e-mail@1 & 9>3@8)");
}

#[test]
fn a_blank_may_mean_or() {
    let check = |text: &str, tree: &str| {
        let node = super::parse(text, DefaultOperator::Or);
        assert_eq!(show(&node.unwrap()), tree, "{text}");
    };
    check("", "ALL");
    check("red", "red@1");
    check("red bike", "(red@1 | bike@5)");
    check("a OR b c", "(a@1 | b@6 | c@8)");
    check("a AND b c", "((a@1 & b@7) | c@9)");
    check("(a b) AND c", "((a@2 | b@4) & c@11)");
    check("title:(a b) c", "((title=a@8 | title=b@10) | c@13)");
    check("a -b", "(!b@4 & a@1)");
    check("NOT a b c", "(!a@5 & (b@7 | c@9))");
    check("-a", "!a@2");
    check("+a b", "(a@2 & (b@4 | ALL))");
    check("+a -b", "(a@2 & !b@5)");
    check("a - b", "(a@1 | -@3 | b@5)");
    for bad in ["a OR", "OR a", "AND a", "a AND", "a b )", "(a b"] {
        assert!(super::parse(bad, DefaultOperator::Or).is_err(), "{bad}");
    }
}

#[test]
fn faults_name_the_position() {
    let check = |text: &str, start: &str| {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("q: {start}")), "{text}: {error}");
    };
    check("(a", "position 1: '(' has no end");
    check("é )", "position 3: ')' has no beginning");
    check("a ]", "position 3:");
    check("ab \"c", "position 4: '\"' has no end");
    check("OR a", "position 1:");
    check("a OR", "position 5:");
    check("a OR OR b", "position 6:");
    check("AND a", "position 1: AND needs something before");
    check("a AND", "position 6:");
    check("a NOT", "position 6: a word");
    check("a OR[", "position 3: OR needs something after");
    check("()", "position 2:");
    check("title:", "position 7: a value for 'title'");
    check("title: a", "position 7:");
    check("[1 TO 2]", "position 1: a range needs a field");
    check("n:[1 2]", "position 6: TO is expected");
    check("n:[1 TO 2", "position 3: the range has no end");
    check("n:[ TO 2]", "position 8: TO is expected");
    check("n:>", "position 4: a value is expected");
    check("n:>*", "position 5: a value to compare");
    check("a*b", "position 3: '*' stands only");
    check("**", "position 2: '*' stands only");
    check("a\\", "position 1: '\\' needs");
    check(":a", "position 1: a word");
    check(&"x".repeat(1_025), "at most 1024 bytes");
    check(&"x ".repeat(65), "position 129: more than 64");
    check(&"(".repeat(17), "position 18: nested deeper");
    check(&"-".repeat(18), "position 18: nested deeper");
}

#[test]
fn the_bounds_themselves_are_allowed() {
    assert!(parse(&"x".repeat(1_024)).is_ok());
    assert!(parse(&"x ".repeat(64)).is_ok());
    assert!(parse(&format!("{}x{}", "(".repeat(16), ")".repeat(16))).is_ok());
}

/// Pieces that make most random queries nearly right.
const PIECES: [&str; 26] = [
    "a",
    "é",
    " ",
    " ",
    "AND",
    "OR",
    "NOT",
    "TO",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    ":",
    "*",
    "\\",
    "-",
    "+",
    "<",
    ">",
    "=",
    "f:",
    "1",
    "2024-01-01",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = parse(&text);
        let _ = super::parse(&text, DefaultOperator::Or);
    }

    #[test]
    fn nearly_right_text_is_read_or_refused(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        let text = pieces.concat();
        let _ = super::parse(&text, DefaultOperator::Or);
        if let Err(error) = parse(&text) {
            let message = error.to_string();
            let position: Option<usize> = message
                .strip_prefix("q: position ")
                .and_then(|rest| rest.split_once(':')?.0.parse().ok());
            let position = position.unwrap_or(1);
            prop_assert!(position >= 1 && position <= text.chars().count() + 1, "{}: {}", text, message);
        }
    }
}
