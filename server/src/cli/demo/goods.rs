//! What people sell.

use super::rng::Rng;

/// Things of one kind: what they are called, and what they cost in euros.
pub(crate) struct Category {
    pub(crate) name: &'static str,
    things: &'static [&'static str],
    price: (f64, f64),
}

const fn category(name: &'static str, things: &'static [&'static str], price: (f64, f64)) -> Category {
    Category { name, things, price }
}

pub(crate) const CATEGORIES: [Category; 10] = [
    category(
        "furniture",
        &[
            "oak dining table",
            "reading chair",
            "bookshelf",
            "chest of drawers",
            "desk with drawers",
            "three-seat sofa",
        ],
        (25.0, 450.0),
    ),
    category(
        "bicycles",
        &[
            "city bike, 28 inch",
            "road bike, aluminium",
            "cargo bike",
            "folding bike",
            "children's bike, 20 inch",
        ],
        (40.0, 1400.0),
    ),
    category(
        "electronics",
        &[
            "bookshelf speakers",
            "27 inch monitor",
            "mechanical keyboard",
            "e-reader",
            "noise-cancelling headphones",
        ],
        (20.0, 380.0),
    ),
    category(
        "books",
        &[
            "atlas of the world",
            "crime novels, box of 20",
            "cookbooks, set of five",
            "comics, 1980s",
            "art history",
        ],
        (4.0, 45.0),
    ),
    category(
        "garden",
        &[
            "push mower",
            "terracotta pots",
            "rain barrel, 200 l",
            "hedge trimmer",
            "garden bench",
            "greenhouse, small",
        ],
        (8.0, 220.0),
    ),
    category(
        "music",
        &["acoustic guitar", "digital piano, 88 keys", "trumpet with case", "turntable", "violin, 3/4 size"],
        (45.0, 900.0),
    ),
    category(
        "kids",
        &["pram, foldable", "wooden train set", "car seat", "bunk bed", "doll's house"],
        (10.0, 240.0),
    ),
    category(
        "sport",
        &[
            "rowing machine",
            "tennis racket",
            "climbing shoes, 42",
            "tent for three",
            "kettlebells",
            "skis, 170 cm",
        ],
        (12.0, 360.0),
    ),
    category(
        "tools",
        &["cordless drill", "workbench", "circular saw", "ladder, 3 m", "socket set", "sewing machine"],
        (15.0, 260.0),
    ),
    category(
        "clothing",
        &["winter coat, M", "leather boots, 41", "rain jacket", "wool jumper, L"],
        (8.0, 140.0),
    ),
];

const STATES: [&str; 6] =
    ["as new", "well kept", "with small scratches", "hardly used", "checked last month", "from 2019"];
const REMARKS: [&str; 6] = [
    "Pick up in the evening.",
    "Must go this week.",
    "Price negotiable.",
    "No shipping, please.",
    "Moving house, everything must go.",
    "Cash or transfer.",
];

/// Something for sale.
pub(crate) struct Good {
    pub(crate) category: &'static str,
    pub(crate) title: String,
    pub(crate) text: String,
    /// Euros.
    pub(crate) price: f64,
}

impl Good {
    pub(crate) fn any(rng: &mut Rng) -> Option<Self> {
        let category = rng.pick(&CATEGORIES)?;
        let thing = rng.pick(category.things)?;
        let (state, remark) = (rng.pick(&STATES)?, rng.pick(&REMARKS)?);
        let (low, high) = category.price;
        // Cheap things are more common than dear ones.
        let price = low * (high / low).powf(rng.unit());
        let mut title = format!("{thing}, {state}");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Some(Self { category: category.name, title, text: (*remark).to_owned(), price })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn goods_are_many_and_priced_like_their_kind() {
        let mut rng = Rng::new(11);
        let goods: Vec<Good> = (0..2000).map(|_| Good::any(&mut rng).unwrap()).collect();
        for good in &goods {
            let category = CATEGORIES.iter().find(|category| category.name == good.category).unwrap();
            assert!((category.price.0..=category.price.1).contains(&good.price), "{}", good.title);
            assert!(
                good.title.starts_with(|first: char| first.is_ascii_uppercase() || first.is_ascii_digit())
            );
        }
        let titles: BTreeSet<&str> = goods.iter().map(|good| good.title.as_str()).collect();
        assert!(titles.len() > 200, "{}", titles.len());
        assert_eq!(goods.iter().map(|good| good.category).collect::<BTreeSet<_>>().len(), CATEGORIES.len());
    }
}
