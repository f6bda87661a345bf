use super::*;

fn build(positions: &[(f64, f64)]) -> Result<Ring, RingFault> {
    let units: Vec<Position> =
        positions.iter().map(|&(lon, lat)| crate::point::units(lon, lat).unwrap()).collect();
    Ring::build(&units)
}

fn check(ring: &Ring, inside: &[(f64, f64)], outside: &[(f64, f64)], border: &[(f64, f64)]) {
    let all = [(inside, CoordPos::Inside), (outside, CoordPos::Outside), (border, CoordPos::OnBoundary)];
    for (places, want) in all {
        for &(lon, lat) in places {
            assert_eq!(ring.locate(Point::new(lon, lat).unwrap()), want, "at {lon} {lat}");
        }
    }
}

#[test]
fn square_at_the_antimeridian() {
    for ring in [
        build(&[(179.0, -1.0), (-179.0, -1.0), (-179.0, 1.0), (179.0, 1.0), (179.0, -1.0)]).unwrap(),
        build(&[(-179.0, -1.0), (-179.0, 1.0), (179.0, 1.0), (179.0, -1.0), (-179.0, -1.0)]).unwrap(),
    ] {
        check(
            &ring,
            &[(180.0, 0.0), (-180.0, 0.5), (179.5, 0.0), (-179.5, 0.0)],
            &[(178.9, 0.0), (-178.9, 0.0), (0.0, 0.0)],
            &[(179.0, 0.0), (-179.0, 1.0), (180.0, 1.0), (-180.0, -1.0)],
        );
    }
}

#[test]
fn square_ending_at_the_antimeridian() {
    let ring = build(&[(170.0, 0.0), (180.0, 0.0), (180.0, 10.0), (170.0, 10.0), (170.0, 0.0)]).unwrap();
    check(&ring, &[(175.0, 5.0)], &[(-179.9, 5.0)], &[(180.0, 5.0), (-180.0, 5.0)]);
}

#[test]
fn rings_round_the_poles() {
    let square: Vec<(f64, f64)> =
        [(0.0, 80.0), (90.0, 80.0), (180.0, 80.0), (-90.0, 80.0), (0.0, 80.0)].into();
    let mirrored: Vec<(f64, f64)> = square.iter().rev().map(|&(lon, lat)| (lon, -lat)).collect();
    let north = build(&square).unwrap();
    check(
        &north,
        &[(0.0, 85.0), (180.0, 81.0), (12.0, 90.0), (-90.0, 89.0), (0.0, 80.1)],
        &[(0.0, 79.9), (5.0, -90.0), (0.0, -85.0)],
        &[(90.0, 80.0), (45.0, 80.0)],
    );
    let south = build(&mirrored).unwrap();
    check(
        &south,
        &[(0.0, -85.0), (180.0, -81.0), (12.0, -90.0)],
        &[(0.0, -79.9), (5.0, 90.0)],
        &[(-135.0, -80.0)],
    );
    assert_eq!(north.borders().count(), 4);
    let clockwise: Vec<(f64, f64)> = square.into_iter().rev().collect();
    check(&build(&clockwise).unwrap(), &[(0.0, 90.0)], &[(0.0, -90.0)], &[]);
}

#[test]
fn a_pole_ring_that_turns_back_on_itself() {
    // Starts with a hook to the west below its highest vertex.
    let ring = build(&[
        (0.0, 85.0),
        (-20.0, 84.0),
        (20.0, 70.0),
        (140.0, 75.0),
        (-100.0, 75.0),
        (-30.0, 65.0),
        (0.0, 85.0),
    ]);
    assert!(ring.is_err() || ring.unwrap().locate(Point::new(0.0, 90.0).unwrap()) == CoordPos::Inside);
    let hooked = build(&[
        (0.0, 85.0),
        (-10.0, 80.0),
        (10.0, 75.0),
        (140.0, 75.0),
        (-100.0, 75.0),
        (-20.0, 83.0),
        (0.0, 85.0),
    ])
    .unwrap();
    check(
        &hooked,
        &[(5.0, 82.0), (-5.0, 80.0), (0.0, 90.0), (-15.0, 86.0)],
        &[(-15.0, 80.0), (0.0, 70.0), (-5.0, 76.0)],
        &[(0.0, 85.0)],
    );
}

#[test]
fn a_ring_written_with_the_pole_and_the_seam() {
    // How maps in a flat projection write a cap: along -90 and up the antimeridian.
    let cap = build(&[
        (-180.0, -90.0),
        (180.0, -90.0),
        (180.0, -70.0),
        (90.0, -72.0),
        (0.0, -70.0),
        (-90.0, -71.0),
        (-180.0, -70.0),
        (-180.0, -90.0),
    ])
    .unwrap();
    check(
        &cap,
        &[(0.0, -80.0), (180.0, -80.0), (33.0, -90.0), (179.9, -71.0)],
        &[(0.0, -69.0), (180.0, -69.9)],
        &[(0.0, -70.0), (180.0, -70.0)],
    );
    assert_eq!(cap.borders().count(), 4);
}

#[test]
fn bands_and_the_whole_earth() {
    let band =
        build(&[(-180.0, 10.0), (180.0, 10.0), (180.0, 20.0), (-180.0, 20.0), (-180.0, 10.0)]).unwrap();
    check(
        &band,
        &[(0.0, 15.0), (180.0, 15.0)],
        &[(0.0, 9.0), (0.0, 21.0), (0.0, 90.0)],
        &[(77.0, 10.0), (180.0, 20.0)],
    );
    let earth =
        build(&[(-180.0, -90.0), (180.0, -90.0), (180.0, 90.0), (-180.0, 90.0), (-180.0, -90.0)]).unwrap();
    check(&earth, &[(0.0, 0.0), (180.0, 50.0), (3.0, 90.0), (3.0, -90.0)], &[], &[]);
}

#[test]
fn a_vertex_at_the_pole_is_border() {
    let slice = build(&[(0.0, 80.0), (20.0, 80.0), (10.0, 90.0), (0.0, 80.0)]).unwrap();
    check(
        &slice,
        &[(10.0, 85.0)],
        &[(10.0, 79.0), (100.0, 85.0), (0.0, -90.0)],
        &[(77.0, 90.0), (10.0, 80.0)],
    );
}

#[test]
fn refuses_rings_without_clear_meaning() {
    let fault = |positions: &[(f64, f64)]| build(positions).unwrap_err();
    assert!(matches!(
        fault(&[(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)]),
        RingFault::Crosses(_)
    ));
    assert!(matches!(
        fault(&[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (1.0, 0.0), (0.0, 2.0), (0.0, 0.0)]),
        RingFault::Crosses(_)
    ));
    assert!(matches!(
        fault(&[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (2.0, 1.0), (2.0, 3.0), (0.0, 3.0), (0.0, 0.0)]),
        RingFault::Crosses(_)
    ));
    assert_eq!(fault(&[(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (0.0, 0.0)]), RingFault::NoArea);
    assert_eq!(fault(&[(5.0, 5.0), (5.0, 5.0), (5.0, 5.0), (5.0, 5.0)]), RingFault::NoArea);
    // A bow-tie across the antimeridian.
    assert!(matches!(
        fault(&[(179.0, 0.0), (-179.0, 1.0), (-179.0, 0.0), (179.0, 1.0), (179.0, 0.0)]),
        RingFault::Crosses(_)
    ));
    let twice: Vec<(f64, f64)> = (0..=12)
        .map(|i| {
            (f64::from((i * 60 + 180) % 360 - 180), if i == 12 { 70.0 } else { 70.0 + f64::from(i) / 10.0 })
        })
        .collect();
    assert_eq!(fault(&twice), RingFault::TooWide);
}

#[test]
fn long_rings_are_checked_quickly() {
    let circle = |count: u32| -> Vec<(f64, f64)> {
        (0..=count)
            .map(|i| f64::from(i % count) / f64::from(count) * std::f64::consts::TAU)
            .map(|a| (10.0 * a.cos(), 10.0 * a.sin()))
            .collect()
    };
    let ring = build(&circle(50_000)).unwrap();
    check(&ring, &[(0.0, 0.0)], &[(10.1, 0.0)], &[(10.0, 0.0)]);
}
