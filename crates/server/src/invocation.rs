//! What an invocation is given when somebody asks for one: the program's settings, the caller's
//! tenant and name.

use ecs_agent_core::{InvocationSettings, Mode};
use ecs_agent_credentials::Sources;

use crate::authentication::{Action, Caller, Proof};
use crate::config::{FactoryError, InvocationFactory};

/// Asks the program for an invocation's settings, and puts the caller's tenant, name and rights on
/// them.
///
/// # Errors
/// The factory's.
pub(crate) fn prepare(
    factory: &InvocationFactory,
    caller: &Caller,
) -> Result<(InvocationSettings, Sources), FactoryError> {
    let (mut settings, sources) = factory(caller)?;
    // Whatever the factory said: rows are the caller's, and no right is wider than theirs.
    settings.tenant = caller.tenant().clone();
    settings.person = match caller.proof() {
        Proof::ThisMachine => settings.person,
        Proof::ApiKey(_) => Some(caller.person().to_owned()),
    };
    if !caller.may(Action::Plan) {
        settings.mode = Mode::Diagnose;
    }
    settings.permissions.person_may_execute &= caller.may(Action::Execute);
    Ok((settings, sources))
}
