//! `pointsman schema`: the JSON Schema of the configuration, for editors.

use crate::failure::Failure;
use crate::output;

/// Prints it.
pub(crate) fn run() -> Result<(), Failure> {
    output::print(&pointsman_config::schema())
}
