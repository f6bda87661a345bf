//! Where each frame stands. Sizes are points; A4, margins of 50, frames 10 apart.

use super::block::{Block, Span};

pub(super) const PAGE_WIDTH: f64 = 595.2755905488;
pub(super) const PAGE_HEIGHT: f64 = 841.8897637776;
pub(super) const MARGIN: f64 = 50.0;
pub(super) const INNER_WIDTH: f64 = PAGE_WIDTH - 2.0 * MARGIN;
const INNER_HEIGHT: f64 = PAGE_HEIGHT - 2.0 * MARGIN;
const GAP: f64 = 10.0;
const HEIGHT_MIN: f64 = 20.0;
const LINE: f64 = 14.4;
/// Characters of a line at 12 points, about.
const LINE_CHARACTERS: usize = 85;

/// A page with its frames, in the order of stories.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Spread {
    pub(super) frames: Vec<Frame>,
}

/// The frame of one story; `top` is measured from the top of the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) story: usize,
    pub(super) top: f64,
    pub(super) height: f64,
}

/// Stacks all blocks; at least one page, even for an empty story.
pub(super) fn spreads(blocks: &[Block]) -> Vec<Spread> {
    let mut spreads = vec![Spread::default()];
    let mut used = 0.0;
    for (story, block) in blocks.iter().enumerate() {
        let height = (lines(block) as f64 * LINE).clamp(HEIGHT_MIN, INNER_HEIGHT);
        let gap = if used > 0.0 { GAP } else { 0.0 };
        if used > 0.0 && used + gap + height > INNER_HEIGHT {
            spreads.push(Spread::default());
            used = 0.0;
        } else {
            used += gap;
        }
        let frame = Frame { story, top: MARGIN + used, height };
        if let Some(spread) = spreads.last_mut() {
            spread.frames.push(frame);
        }
        used += height;
    }
    spreads
}

/// A guess: nobody here sets type.
fn lines(block: &Block) -> usize {
    let of = |spans: &[Span], width: usize| {
        let text: String = spans.iter().map(|span| span.text.as_str()).collect();
        text.split('\n').map(|line| line.chars().count() / width.max(1) + 1).sum::<usize>()
    };
    match block {
        Block::Text { style, spans } if style.is_heading() => 2 * of(spans, LINE_CHARACTERS / 2),
        Block::Text { spans, .. } => of(spans, LINE_CHARACTERS),
        Block::List { items, .. } => items.iter().map(|spans| of(spans, LINE_CHARACTERS)).sum(),
        Block::Table { rows, columns } => {
            let width = LINE_CHARACTERS / (*columns).max(1);
            rows.iter().map(|cells| cells.iter().map(|spans| of(spans, width)).max().unwrap_or(1)).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idml::style;

    #[test]
    fn frames_stay_on_their_page() {
        let block = |characters: usize| Block::Text {
            style: &style::NORMAL,
            spans: vec![Span { text: "x".repeat(characters), ..Span::default() }],
        };
        let blocks: Vec<Block> = [10, 100_000, 500, 3000, 2000, 10, 5000].map(block).into();
        let spreads = spreads(&blocks);
        assert!(spreads.len() >= 3);
        let mut stories = Vec::new();
        for spread in &spreads {
            let mut bottom = 0.0;
            for frame in &spread.frames {
                assert!(frame.top >= bottom && frame.height >= HEIGHT_MIN);
                bottom = frame.top + frame.height;
                stories.push(frame.story);
            }
            assert!(bottom <= PAGE_HEIGHT - MARGIN + 1e-9);
        }
        assert_eq!(stories, (0..7).collect::<Vec<_>>());
    }
}
