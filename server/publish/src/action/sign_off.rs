//! Signatures: who worked on an item, as `ab/cd/ef`.

/// The signature after one more has worked on it. Who is in it already moves to the end, unless it keeps everybody each
/// time.
pub(super) fn signed(before: &str, own: &str, keeps_all: bool) -> String {
    let mut names: Vec<&str> = before.split('/').filter(|name| !name.is_empty()).collect();
    if own.is_empty() || names.last() == Some(&own) {
        return before.to_owned();
    }
    if !keeps_all {
        names.retain(|name| *name != own);
    }
    names.push(own);
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn the_last_one_is_last() {
        for (before, own, keeps_all, expected) in [
            ("", "abc", false, "abc"),
            ("abc", "abc", false, "abc"),
            ("abc/foo", "abc", false, "foo/abc"),
            ("abc/foo", "abc", true, "abc/foo/abc"),
            ("foo/abc", "abc", true, "foo/abc"),
            ("foo", "abc", false, "foo/abc"),
            ("foo", "", false, "foo"),
        ] {
            assert_eq!(signed(before, own, keeps_all), expected, "{before} {own} {keeps_all}");
        }
    }
}
