//! The tables of the service, as a fault names them.
use super::{cluster::SERVICE, session::Session};
use crate::fault::database::injection::Error;

/// All tables of the service but the list of its migrations, in order of their names.
const TABLES: &str = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
     AND pg_get_userbyid(relowner) = '{owner}' AND relname <> '_sqlx_migrations' ORDER BY relname";

/// The named tables, or all when none is named.
///
/// # Errors
/// When one of them is not there.
pub(super) async fn find(session: &mut Session, named: &[String]) -> Result<Vec<String>, Error> {
    let rows = session.ask("list the tables", TABLES.replace("{owner}", SERVICE)).await?;
    let known: Vec<String> = rows.into_iter().flatten().collect();
    match named.iter().find(|table| !known.contains(table)) {
        Some(table) => Err(Error::UnknownTable { table: table.clone(), known }),
        None if named.is_empty() => Ok(known),
        None => Ok(named.to_vec()),
    }
}

/// The tables that a fault names, in words.
pub(super) fn words(named: &[String]) -> String {
    if named.is_empty() { "every table".to_owned() } else { named.join(", ") }
}
