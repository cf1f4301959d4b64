//! The user who runs this command.

/// The user's name, if the system knows it.
#[cfg(unix)]
pub(super) fn name() -> Option<String> {
    let user = uzers::get_user_by_uid(uzers::get_current_uid())?;
    Some(user.name().to_string_lossy().into_owned())
}

/// The user's name, if the system knows it.
#[cfg(not(unix))]
pub(super) fn name() -> Option<String> {
    let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = var("USERNAME")?;
    Some(match var("USERDOMAIN") {
        Some(domain) => format!("{domain}\\{user}"),
        None => user,
    })
}
