//! The driver manager. Everything here blocks.

use super::statement::{Call, Dialect};
use crate::failure::{Code, Failure};
use crate::limits::{ODBC_LOGIN_MAX, ODBC_QUERY_MAX};
use crate::receipt::one_line;
use crate::secret::Secret;
use odbc_api::parameter::VarWCharBox;
use odbc_api::{ConnectionOptions, Error, environment};

/// Connects, calls, and closes the connection.
pub(super) fn run(connection: &Secret, call: &Call) -> Result<(), Failure> {
    let options = ConnectionOptions {
        login_timeout_sec: Some(ODBC_LOGIN_MAX.as_secs().try_into().unwrap_or(u32::MAX)),
        ..ConnectionOptions::default()
    };
    let manager = environment().map_err(|error| failure(&error))?;
    let connected = manager.connect_with_connection_string(connection.reveal(), options);
    let connected = connected.map_err(|error| failure(&error))?;
    let database = connected.database_management_system_name().map_err(|error| failure(&error))?;
    let (statement, values) = call.statement(Dialect::of(&database));
    // As wide text: drivers read narrow text in the locale of the process, which a server does not set.
    let bound: Vec<VarWCharBox> = values
        .into_iter()
        .map(|value| value.map_or_else(VarWCharBox::null, VarWCharBox::from_str_slice))
        .collect();
    let mut prepared = connected.preallocate().map_err(|error| failure(&error))?;
    // Some drivers have no such bound; ours on the whole call remains.
    let _ = prepared.set_query_timeout_sec(ODBC_QUERY_MAX.as_secs().try_into().unwrap_or(usize::MAX));
    prepared.execute(&statement, &bound[..]).map(drop).map_err(|error| failure(&error))
}

/// The state for everybody; what the driver says, hosts and users in it, for operators.
fn failure(error: &Error) -> Failure {
    let state = match error {
        Error::Diagnostics { record, .. } => record.state.as_str(),
        _ => "",
    };
    let message = match state {
        "" => "the driver manager fails".to_owned(),
        state => format!("the database answers with SQLSTATE {state}"),
    };
    // Data exceptions and broken constraints: the same item breaks them again.
    let failure = match state.get(..2) {
        Some("22" | "23") => Failure::lasting(Code::Odbc, message),
        _ => Failure::passing(Code::Odbc, message),
    };
    Failure { reason: Some(one_line(&error.to_string())), ..failure }
}
