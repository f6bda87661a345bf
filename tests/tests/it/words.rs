//! Keywords of the oracle: all words, -not, "a phrase", in any case, on words of letters and digits.

/// The words of each text field of an ad.
pub(crate) type Fields = Vec<Vec<String>>;

pub(crate) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether the fields of an ad pass a query.
pub(crate) fn accepts(query: &str, fields: &Fields) -> bool {
    terms(query).iter().all(|(negated, phrase)| {
        let found =
            fields.iter().any(|field| field.windows(phrase.len()).any(|part| part == phrase.as_slice()));
        found != *negated
    })
}

/// Each term with whether it is negated. The queries of the tests have quotes only around whole terms.
fn terms(query: &str) -> Vec<(bool, Vec<String>)> {
    let mut found = Vec::new();
    for (index, part) in query.split('"').enumerate() {
        if index % 2 == 1 {
            found.push((false, words(part)));
            continue;
        }
        for word in part.split_whitespace() {
            let negated = word.starts_with('-');
            if word == "-" {
                continue;
            }
            found.push((negated, words(word)));
        }
        // A dash right before the quotes belongs to the phrase that follows; none of the tests writes one.
        assert!(!part.ends_with('-'), "the oracle does not know negated phrases");
    }
    found.retain(|(_, phrase)| !phrase.is_empty());
    found
}

#[test]
fn words_phrases_and_negation() {
    let ad: Fields = vec![words("Fast red e-bike"), words("As new. Port Said")];
    let check = |query: &str, wanted: bool| assert_eq!(accepts(query, &ad), wanted, "{query}");
    check("", true);
    check("RED fast", true);
    check("red blue", false);
    check("red -blue", true);
    check("-red", false);
    check("\"red e bike\"", true);
    check("e-bike", true);
    check("\"bike as\"", false);
    check("\"port said\" -old", true);
}
