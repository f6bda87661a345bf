//! The operators of filter conditions.

/// How a condition compares its field with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Some element equals one of the values, ignoring case.
    In,
    /// No element equals one of the values.
    Nin,
    /// The value, a regular expression, is found in the text, ignoring case.
    Like,
    /// It is not found.
    Notlike,
    /// The text begins with the value, a regular expression.
    Startswith,
    /// The text ends with it.
    Endswith,
    /// As `in`.
    Match,
    /// Equal, after conversion to the type of the field.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Whether there is a value.
    Exists,
    /// Some place of the item lies in a GeoJSON geometry.
    Within,
    /// Some place of the item lies within metres of a point: `lon,lat,radius_m`.
    Near,
    /// The item matches a full-text query.
    Query,
}

impl Operator {
    /// Each with its name, in the order in which they are offered.
    pub const ALL: [(Self, &'static str); 17] = [
        (Self::In, "in"),
        (Self::Nin, "nin"),
        (Self::Like, "like"),
        (Self::Notlike, "notlike"),
        (Self::Startswith, "startswith"),
        (Self::Endswith, "endswith"),
        (Self::Match, "match"),
        (Self::Eq, "eq"),
        (Self::Ne, "ne"),
        (Self::Lt, "lt"),
        (Self::Lte, "lte"),
        (Self::Gt, "gt"),
        (Self::Gte, "gte"),
        (Self::Exists, "exists"),
        (Self::Within, "within"),
        (Self::Near, "near"),
        (Self::Query, "query"),
    ];

    /// The operator of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| *own == name).map(|(operator, _)| *operator)
    }

    /// Its name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(own, _)| *own == self).map_or("", |(_, name)| name)
    }

    /// Whether the server lends what judges it.
    pub(crate) fn is_lent(self) -> bool {
        matches!(self, Self::Within | Self::Near | Self::Query)
    }
}
