//! Devices that report where they are, once a second each, by city.

use hyper::Method;
use serde_json::Value;

use super::city::CITIES;
use super::scene::Device;
use super::visitor::Visitor;
use crate::cli::outcome::Failure;

/// Fixes in one request.
const FIXES: usize = 500;

/// All devices; those of one city together.
pub(crate) struct Traffic {
    cities: Vec<Vec<Device>>,
}

impl Traffic {
    /// `devices` as the scene made them: one city after the other, again and again.
    pub(crate) fn new(devices: Vec<Device>) -> Self {
        let mut cities: Vec<Vec<Device>> = CITIES.iter().map(|_| Vec::new()).collect();
        let count = cities.len();
        for (number, device) in devices.into_iter().enumerate() {
            if let Some(city) = cities.get_mut(number % count) {
                city.push(device);
            }
        }
        Self { cities }
    }

    /// Moves everybody by so many seconds and tells the server.
    pub(crate) fn turn(&mut self, visitor: &Visitor<'_>, seconds: f64) -> Result<(), Failure> {
        for city in &mut self.cities {
            let at = visitor.time();
            for some in city.chunks_mut(FIXES) {
                let fixes: Value = some.iter_mut().map(|device| device.fix(seconds, &at)).collect();
                visitor.client.call(Method::POST, "/api/positions", Some(&fixes))?;
            }
        }
        Ok(())
    }
}
