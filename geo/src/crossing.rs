//! Where edges meet that should not: validation of rings and tests between two shapes.
//!
//! Candidates come from an rstar tree of edges; `geo` decides each pair with exact orientation tests.

use geo::line_intersection::{LineIntersection, line_intersection};
use geo::{Coord, Line};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use crate::point::TURN;

type Edge = (usize, Line<f64>);
type EdgeBox = GeomWithData<Rectangle<[f64; 2]>, Edge>;

/// Edges of one or more rings, to be asked which of them meet another edge.
pub(crate) struct EdgeTree(RTree<EdgeBox>);

impl EdgeTree {
    pub(crate) fn new(edges: &[Edge]) -> Self {
        let boxed = edges
            .iter()
            .map(|&(index, line)| GeomWithData::new(Rectangle::from_aabb(envelope(&line)), (index, line)));
        Self(RTree::bulk_load(boxed.collect()))
    }

    /// The edges that touch or cross `line`, with how.
    pub(crate) fn meeting(
        &self,
        line: Line<f64>,
    ) -> impl Iterator<Item = (usize, LineIntersection<f64>)> + '_ {
        self.0.locate_in_envelope_intersecting(envelope(&line)).filter_map(move |found| {
            let (index, other) = found.data;
            Some((index, line_intersection(line, other)?))
        })
    }
}

/// The same edge a whole number of turns east.
pub(crate) fn turned(line: Line<f64>, turns: i32) -> Line<f64> {
    let by = f64::from(turns) * TURN as f64;
    Line::new(Coord { x: line.start.x + by, y: line.start.y }, Coord { x: line.end.x + by, y: line.end.y })
}

/// The first place where two edges of one ring of `count` edges meet other than at the vertex neighbours share.
/// `round`: the ring is a turn wide or more, so edges may also meet a turn apart.
pub(crate) fn first_crossing(edges: &[Edge], count: usize, round: bool) -> Option<Coord<f64>> {
    let tree = EdgeTree::new(edges);
    edges.iter().find_map(|&(index, line)| {
        let beside = |other: usize| index.abs_diff(other) == 1 || index.abs_diff(other) + 1 == count;
        let in_plane = tree
            .meeting(line)
            .filter(|&(other, _)| other > index)
            .find_map(|(other, met)| place_of(&met).filter(|_| is_overlap(&met) || !beside(other)));
        if in_plane.is_some() || !round {
            return in_plane;
        }
        [-1, 1].into_iter().map(|turns| turned(line, turns)).find_map(|line| {
            // Across the cut two vertices may be one place; anything more than that is a crossing.
            tree.meeting(line).filter(|&(other, _)| other != index).find_map(|(other, met)| {
                place_of(&met).filter(|at| is_overlap(&met) || !ends_at(edges, other, &line, *at))
            })
        })
    })
}

fn place_of(met: &LineIntersection<f64>) -> Option<Coord<f64>> {
    match met {
        LineIntersection::Collinear { intersection } => Some(intersection.start),
        LineIntersection::SinglePoint { intersection, .. } => Some(*intersection),
    }
}

fn is_overlap(met: &LineIntersection<f64>) -> bool {
    matches!(met, LineIntersection::Collinear { .. })
}

fn ends_at(edges: &[Edge], other: usize, line: &Line<f64>, at: Coord<f64>) -> bool {
    let touches = |line: &Line<f64>| line.start == at || line.end == at;
    touches(line) && edges.iter().find(|edge| edge.0 == other).is_some_and(|(_, line)| touches(line))
}

fn envelope(line: &Line<f64>) -> AABB<[f64; 2]> {
    AABB::from_corners([line.start.x, line.start.y], [line.end.x, line.end.y])
}
