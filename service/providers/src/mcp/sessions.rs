//! The sessions of clients from before MCP 2026-07-28: bounded in number and in idle time.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use futures_util::Stream;
use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::streamable_http_server::session::{
        ServerSseMessage, SessionId, SessionManager,
        local::{LocalSessionManager, LocalSessionManagerError, SessionConfig},
    },
};
use tracing::debug;

/// The most sessions of one server; one more ends the one that was idle longest.
const SESSIONS_MAX: usize = 256;

/// How long a session may be idle.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(300);

/// rmcp's sessions in memory, and when each was last used.
#[derive(Debug)]
pub(super) struct Sessions {
    local: LocalSessionManager,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    uses: u64,
    /// The number of each session's last use.
    last: HashMap<SessionId, u64>,
}

impl Used {
    fn touch(&mut self, id: &SessionId) {
        self.uses += 1;
        self.last.insert(id.clone(), self.uses);
    }

    fn idle_longest(&self) -> Option<SessionId> {
        self.last.iter().min_by_key(|(_, use_number)| **use_number).map(|(id, _)| id.clone())
    }
}

impl Default for Sessions {
    fn default() -> Self {
        let mut local = LocalSessionManager::default();
        let mut config = SessionConfig::default();
        config.keep_alive = Some(IDLE_MAX);
        local.session_config = config;
        Self { local, used: Mutex::default() }
    }
}

impl Sessions {
    fn used(&self) -> std::sync::MutexGuard<'_, Used> {
        self.used.lock().expect("nothing panics while holding the lock")
    }

    async fn make_room(&self) -> Result<(), LocalSessionManagerError> {
        while self.used().last.len() >= SESSIONS_MAX {
            let Some(id) = self.used().idle_longest() else { break };
            debug!(session = %id, "session `{id}` makes room for a new one");
            self.close_session(&id).await?;
        }
        Ok(())
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        self.make_room().await?;
        let (id, transport) = self.local.create_session().await?;
        self.used().touch(&id);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.local.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        let has_session = self.local.has_session(id).await?;
        if has_session {
            self.used().touch(id);
        }
        Ok(has_session)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.used().last.remove(id);
        self.local.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.local.create_stream(id, message).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.local.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.local.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.local.resume(id, last_event_id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_session_that_was_idle_longest_makes_room() {
        let sessions = Sessions::default();
        let mut ids = Vec::new();
        // The transports are kept: a session ends with its transport.
        let mut transports = Vec::new();
        for _ in 0..SESSIONS_MAX {
            let (id, transport) = sessions.create_session().await.unwrap();
            ids.push(id);
            transports.push(transport);
        }
        assert!(sessions.has_session(&ids[0]).await.unwrap());
        let (last, _transport) = sessions.create_session().await.unwrap();
        let mut kept = Vec::new();
        for id in [&ids[0], &ids[1], &ids[2], &last] {
            kept.push(sessions.has_session(id).await.unwrap());
        }
        assert_eq!(kept, [true, false, true, true]);
        assert_eq!(sessions.local.sessions.read().await.len(), SESSIONS_MAX);
    }

    #[tokio::test]
    async fn a_closed_session_is_forgotten() {
        let sessions = Sessions::default();
        let (id, _transport) = sessions.create_session().await.unwrap();
        sessions.close_session(&id).await.unwrap();
        assert!(!sessions.has_session(&id).await.unwrap());
        assert!(sessions.used().last.is_empty());
    }
}
