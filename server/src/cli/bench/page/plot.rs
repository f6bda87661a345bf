//! Pictures as SVG inside a page: lines over axes, and bars of parts.
//!
//! Colours are classes `c0` to `c7`, which the page's style sheet gives for light and dark.

use std::fmt::Write;

/// Colours there are; more series begin again.
const COLOURS: usize = 8;
/// Shades of cells.
const HEATS: u8 = 12;
const WIDTH: f64 = 560.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 42.0;
const LINES_HEIGHT: f64 = 264.0;
const BAR_HEIGHT: f64 = 20.0;
const BAR_STEP: f64 = 30.0;
/// About the width of a character.
const LETTER: f64 = 6.9;
/// Characters of a bar's name at the most.
const NAME_MAX: usize = 38;

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From 0 on.
    Linear,
    /// Powers of ten; values up to 0 are not shown.
    Log,
}

/// One axis.
pub(crate) struct Axis {
    /// What it shows, with its unit.
    pub(crate) title: &'static str,
    pub(crate) scale: Scale,
    /// A value as text.
    pub(crate) text: fn(f64) -> String,
    /// Where to write values, where that is not found by itself.
    pub(crate) ticks: Vec<(f64, String)>,
    /// Where it ends, where that is not found by itself.
    pub(crate) end: Option<f64>,
}

impl Axis {
    pub(crate) fn new(title: &'static str, scale: Scale, text: fn(f64) -> String) -> Self {
        Self { title, scale, text, ticks: Vec::new(), end: None }
    }

    fn place(&self, value: f64) -> f64 {
        if self.scale == Scale::Log { value.log10() } else { value }
    }

    /// Where the axis begins and ends, and where its values are written.
    fn span(&self, values: impl Iterator<Item = f64>) -> Span {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|&value| value.is_finite() && (self.scale == Scale::Linear || value > 0.0))
        {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, 1.0);
        }
        match self.scale {
            Scale::Linear => self.linear(high),
            Scale::Log => self.logarithmic(low, high),
        }
    }

    fn linear(&self, high: f64) -> Span {
        let high = if high > 0.0 { high } else { 1.0 };
        if !self.ticks.is_empty() {
            return Span { from: 0.0, to: high, ticks: self.ticks.clone() };
        }
        let high = self.end.unwrap_or(high);
        let step = nice(high / 5.0);
        let to = self.end.unwrap_or_else(|| (high / step).ceil() * step);
        let mut ticks = Vec::new();
        let mut at = 0.0;
        while at <= to * 1.000_001 {
            ticks.push((at, (self.text)(at)));
            at += step;
        }
        Span { from: 0.0, to, ticks }
    }

    fn logarithmic(&self, low: f64, high: f64) -> Span {
        let (from, to) = (low.log10().floor(), (high.log10().ceil()).max(low.log10().floor() + 1.0));
        let mut ticks = Vec::new();
        let mut power = from;
        while power <= to {
            ticks.push((10_f64.powf(power), (self.text)(10_f64.powf(power))));
            power += 1.0;
        }
        Span { from, to, ticks }
    }
}

/// The next number of the form 1, 2, 5 times a power of ten.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = step / power;
    let factor = [1.0, 2.0, 5.0].into_iter().find(|&nice| factor <= nice).unwrap_or(10.0);
    factor * power
}

/// In the measure of the axis: logarithms on a logarithmic one.
struct Span {
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Span {
    fn share(&self, place: f64) -> f64 {
        ((place - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// One line.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A part of the ground, by its borders on both axes.
pub(crate) struct Cell {
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
    /// How dark it is, from 0 (as the ground) to 1.
    pub(crate) heat: f64,
}

/// Lines over two axes.
pub(crate) struct Lines {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// Drawn below the lines.
    pub(crate) cells: Vec<Cell>,
    pub(crate) series: Vec<Series>,
    /// Points are shown one by one, too.
    pub(crate) dots: bool,
    /// A place to point at: a point, and a word about it.
    pub(crate) mark: Option<((f64, f64), String)>,
}

impl Lines {
    pub(crate) fn svg(&self) -> String {
        let all = || self.series.iter().flat_map(|series| &series.points);
        let edges = |edges: fn(&Cell) -> (f64, f64)| {
            self.cells.iter().flat_map(move |cell| <[f64; 2]>::from(edges(cell)))
        };
        let x = self.x.span(all().map(|point| point.0).chain(edges(|cell| cell.x)));
        let y = self.y.span(all().map(|point| point.1).chain(edges(|cell| cell.y)));
        let (width, height) = (WIDTH - LEFT - RIGHT, LINES_HEIGHT - TOP - BOTTOM);
        let left = |value: f64| LEFT + x.share(self.x.place(value)) * width;
        let top = |value: f64| TOP + (1.0 - y.share(self.y.place(value))) * height;
        let mut out = begin(&self.title, LINES_HEIGHT);
        for (value, text) in &y.ticks {
            let at = top(*value);
            line(&mut out, "grid", (LEFT, at), (LEFT + width, at));
            words(&mut out, "tick end", LEFT - 8.0, at + 4.0, text);
        }
        for (value, text) in &x.ticks {
            let at = left(*value);
            line(&mut out, "grid", (at, TOP), (at, TOP + height));
            words(&mut out, "tick middle", at, TOP + height + 18.0, text);
        }
        words(&mut out, "axis middle", LEFT + width / 2.0, LINES_HEIGHT - 5.0, self.x.title);
        let middle = TOP + height / 2.0;
        // Writing to a String cannot fail; so below.
        let _ = write!(
            out,
            r#"<text class="axis middle" transform="translate(14 {middle:.1}) rotate(-90)">{}</text>"#,
            escape(self.y.title)
        );
        ground(&mut out, &self.cells, left, top);
        for (place, series) in self.series.iter().enumerate() {
            let shown = |point: &&(f64, f64)| {
                (self.x.scale == Scale::Linear || point.0 > 0.0)
                    && (self.y.scale == Scale::Linear || point.1 > 0.0)
            };
            let path: Vec<String> = series
                .points
                .iter()
                .filter(shown)
                .map(|point| format!("{:.1} {:.1}", left(point.0), top(point.1)))
                .collect();
            let colour = place % COLOURS;
            if !path.is_empty() {
                let _ = write!(out, r#"<path class="line c{colour}" d="M{}"/>"#, path.join("L"));
            }
            for at in path.iter().filter(|_| self.dots) {
                let (x, y) = at.split_once(' ').unwrap_or_default();
                let _ = write!(out, r#"<circle class="dot c{colour}" cx="{x}" cy="{y}" r="3.5"/>"#);
            }
        }
        if let Some(((at_x, at_y), text)) = &self.mark {
            let (x, y) = (left(*at_x), top(*at_y));
            let _ = write!(out, r#"<circle class="mark" cx="{x:.1}" cy="{y:.1}" r="8"/>"#);
            let (class, x) = if x > WIDTH / 2.0 { ("note end", x - 14.0) } else { ("note", x + 14.0) };
            words(&mut out, class, x, (y - 12.0).max(TOP + 12.0), text);
        }
        out.push_str("</svg>");
        out + &legend(self.series.iter().map(|series| series.name.as_str()))
    }
}

/// Cells of about the same heat are one path, so that thousands of them stay a small page.
fn ground(out: &mut String, cells: &[Cell], left: impl Fn(f64) -> f64, top: impl Fn(f64) -> f64) {
    for step in 0..HEATS {
        let step = f64::from(step);
        let of_step = cells.iter().filter(|cell| (cell.heat * f64::from(HEATS - 1)).round() == step);
        let mut path = String::new();
        for cell in of_step {
            let (x, y) = (left(cell.x.0), top(cell.y.1));
            let (width, height) = (left(cell.x.1) - x, top(cell.y.0) - y);
            let _ = write!(path, "M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z");
        }
        if !path.is_empty() {
            let _ = write!(
                out,
                r#"<path class="heat" opacity="{:.2}" d="{path}"/>"#,
                0.06 + step / f64::from(HEATS) * 0.8
            );
        }
    }
}

/// Horizontal bars, each made of parts.
pub(crate) struct Bars {
    pub(crate) title: String,
    pub(crate) x: Axis,
    /// A value as text, beside its bar.
    pub(crate) value: fn(f64) -> String,
    /// Names of the parts.
    pub(crate) parts: Vec<String>,
    /// A name, and a value for each part.
    pub(crate) bars: Vec<(String, Vec<f64>)>,
}

impl Bars {
    pub(crate) fn svg(&self) -> String {
        let longest = self.bars.iter().map(|bar| bar.0.chars().count().min(NAME_MAX)).max().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "a few bars and characters")]
        let (left, rows) = (longest as f64 * LETTER + 14.0, self.bars.len() as f64);
        let sum = |bar: &(String, Vec<f64>)| bar.1.iter().sum::<f64>();
        let x = self.x.span(self.bars.iter().map(sum));
        let (width, height) = (WIDTH - left - RIGHT - 60.0, rows * BAR_STEP);
        let mut out = begin(&self.title, TOP + height + BOTTOM);
        for (value, text) in &x.ticks {
            let at = left + x.share(*value) * width;
            line(&mut out, "grid", (at, TOP), (at, TOP + height));
            words(&mut out, "tick middle", at, TOP + height + 18.0, text);
        }
        words(&mut out, "axis middle", left + width / 2.0, TOP + height + BOTTOM - 6.0, self.x.title);
        // Names and sums stand beside the bars, so the ground ends before the border.
        let mut top = TOP + (BAR_STEP - BAR_HEIGHT) / 2.0;
        for bar in &self.bars {
            words(&mut out, "tick end", left - 8.0, top + 14.0, &short(&bar.0));
            let mut at = left;
            for (place, value) in bar.1.iter().enumerate() {
                let length = x.share(*value) * width;
                let colour = place % COLOURS;
                let name = self.parts.get(place).map_or("", String::as_str);
                let told = escape(&format!("{name} {}", (self.value)(*value)));
                let _ = write!(
                    out,
                    r#"<rect class="bar c{colour}" x="{at:.1}" y="{top:.1}" width="{length:.1}" height="{BAR_HEIGHT}"><title>{told}</title></rect>"#
                );
                at += length;
            }
            words(&mut out, "tick", at + 6.0, top + 14.0, &(self.value)(sum(bar)));
            top += BAR_STEP;
        }
        out.push_str("</svg>");
        if self.parts.len() < 2 { out } else { out + &legend(self.parts.iter().map(String::as_str)) }
    }
}

/// The end of a name tells more than its beginning: all keys of the engine begin alike.
fn short(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME_MAX {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length + 1 - NAME_MAX).collect();
    format!("…{end}")
}

fn begin(title: &str, height: f64) -> String {
    let title = escape(title);
    format!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}"><title>{title}</title>"#)
}

fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = write!(
        out,
        r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
        from.0, from.1, to.0, to.1
    );
}

fn words(out: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = write!(out, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escape(text));
}

fn legend<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::from(r#"<ul class="legend">"#);
    for (place, name) in names.enumerate().filter(|(_, name)| !name.is_empty()) {
        let _ = write!(out, r#"<li><i class="c{}"></i>{}</li>"#, place % COLOURS, escape(name));
    }
    out.push_str("</ul>");
    out
}

/// Text inside an element or an attribute.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::super::table;
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        let axis = Axis::new("x", Scale::Linear, table::count);
        let span = axis.span([3.0, 97.0].into_iter());
        assert_eq!((span.from, span.to, span.ticks.len()), (0.0, 100.0, 6));
        let axis = Axis::new("x", Scale::Log, table::time);
        let span = axis.span([0.0, 15.0, 45_000.0].into_iter());
        assert_eq!((span.from, span.to, span.ticks.len()), (1.0, 5.0, 5));
        assert_eq!(Axis::new("x", Scale::Linear, table::count).span(std::iter::empty()).to, 1.0);
        let mut axis = Axis::new("x", Scale::Linear, table::count);
        axis.end = Some(3.0);
        let span = axis.span([2.9, 3.000_001].into_iter());
        assert_eq!((span.to, span.ticks.len()), (3.0, 4), "it ends where it should");
        assert_eq!([nice(0.3), nice(1.0), nice(1.1), nice(70.0)], [0.5, 1.0, 2.0, 100.0]);
    }

    #[test]
    fn long_names_keep_their_end() {
        let long = "engine.version_blob_bytes=4k engine.compression=layered";
        assert!(short(long).starts_with('…') && short(long).ends_with("=layered"));
        assert_eq!((short(long).chars().count(), short("a").as_str()), (NAME_MAX, "a"));
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let series = vec![Series { name: "<b>&".to_owned(), points: vec![(0.0, 1.0), (1.0, f64::NAN)] }];
        let lines = Lines {
            title: "a \"title\"".to_owned(),
            x: Axis::new("x", Scale::Linear, table::count),
            y: Axis::new("y", Scale::Log, table::count),
            cells: vec![Cell { x: (0.0, 1.0), y: (1.0, 2.0), heat: 0.5 }],
            series,
            dots: true,
            mark: Some(((0.5, 1.0), "here".to_owned())),
        };
        let svg = lines.svg();
        assert!(svg.contains("&lt;b&gt;&amp;") && !svg.contains("<b>") && !svg.contains("NaN"), "{svg}");
        assert_eq!(svg.matches("class=\"heat\"").count(), 1, "{svg}");
    }
}
