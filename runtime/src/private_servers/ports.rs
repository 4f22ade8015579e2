//! Free ports on 127.0.0.1, remembered between runs.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use super::ServerError;

/// A port of 127.0.0.1 that nobody uses at this moment.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// The port kept in `file`, if it is free, else a new one, which is kept.
pub(super) fn remembered(file: &Path) -> Result<u16, ServerError> {
    let kept = std::fs::read_to_string(file)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    match kept {
        Some(port) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() => Ok(port),
        _ => another(file),
    }
}

/// A new port, which is kept in `file`.
pub(super) fn another(file: &Path) -> Result<u16, ServerError> {
    let port = free_port().map_err(ServerError::file(file))?;
    std::fs::write(file, port.to_string()).map_err(ServerError::file(file))?;
    Ok(port)
}
