//! Whom trips are shared with.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{
    Error, Storage, audit,
    connection::Connection,
    row::Row,
    trips::{TripError, locked_trip_for, trip_for},
};
use crate::domain::{
    collaboration::{
        Access, COLLABORATORS_MAX, Collaborator, Collaborators, Permission, Share, Shared, SkipReason, Skipped,
    },
    user::{User, normal_email},
};

const COLLABORATORS: &str = "SELECT user_id, email, full_name, permission, added_by, added_at, message \
     FROM trip_collaborators JOIN users ON users.id = trip_collaborators.user_id \
     WHERE trip_id = $1 ORDER BY added_at, user_id";

impl Storage {
    /// Shares a trip with the users of these addresses, as far as there are such users; its owner alone may do so.
    pub(crate) async fn share_trip(
        &self,
        id: Uuid,
        owner_id: Uuid,
        share: Share,
        now: Timestamp,
    ) -> Result<Shared, TripError> {
        // Nobody is looked up for someone who may not share, and the writer is not held meanwhile.
        trip_for(&mut self.read().await?, id, owner_id, Access::Owner).await?;
        let mut shared = Shared::default();
        let mut guests: Vec<User> = Vec::new();
        for email in share.user_emails {
            let email = normal_email(&email);
            match self.user_by_email(&email).await? {
                None => shared.skipped.push(Skipped { email, reason: SkipReason::UnknownUser }),
                Some((user, _)) if user.id == owner_id => {
                    shared.skipped.push(Skipped { email, reason: SkipReason::Owner });
                }
                Some((user, _)) if guests.iter().all(|guest| guest.id != user.id) => guests.push(user),
                Some(_) => {}
            }
        }
        let mut transaction = self.write().await?;
        locked_trip_for(&mut transaction, id, owner_id, Access::Owner).await?;
        let mut present: Vec<Uuid> =
            collaborators(&mut transaction, id).await?.iter().map(|collaborator| collaborator.user_id).collect();
        for guest in guests {
            let skip = |reason| Skipped { email: guest.email.clone(), reason };
            if present.contains(&guest.id) {
                shared.skipped.push(skip(SkipReason::AlreadyCollaborator));
            } else if present.len() >= COLLABORATORS_MAX {
                shared.skipped.push(skip(SkipReason::TooManyCollaborators));
            } else {
                present.push(guest.id);
                let collaborator = Collaborator {
                    user_id: guest.id,
                    email: guest.email,
                    name: guest.full_name,
                    permission_level: share.permission_level,
                    added_by: owner_id,
                    added_at: now,
                    message: share.message.clone(),
                };
                insert(&mut transaction, id, &collaborator).await?;
                audit::record(&mut transaction, owner_id, "trip.shared", id, Some(&json!({"user_id": guest.id})), now)
                    .await?;
                shared.added.push(collaborator);
            }
        }
        transaction.commit().await?;
        Ok(shared)
    }

    /// Whom a trip is shared with, for its owner and for them.
    pub(crate) async fn collaborators(&self, id: Uuid, user_id: Uuid) -> Result<Collaborators, TripError> {
        let mut connection = self.read().await?;
        let trip = trip_for(&mut connection, id, user_id, Access::View).await?;
        let collaborators = collaborators(&mut connection, id).await?;
        Ok(Collaborators { total: collaborators.len(), collaborators, owner_id: trip.user_id })
    }

    /// Changes what a collaborator may do; the owner of the trip alone may do so.
    pub(crate) async fn change_permission(
        &self,
        id: Uuid,
        owner_id: Uuid,
        guest_id: Uuid,
        permission: Permission,
        now: Timestamp,
    ) -> Result<Collaborator, TripError> {
        let mut transaction = self.write().await?;
        locked_trip_for(&mut transaction, id, owner_id, Access::Owner).await?;
        transaction
            .execute(
                "UPDATE trip_collaborators SET permission = $1 WHERE trip_id = $2 AND user_id = $3",
                &[permission.as_str().into(), id.into(), guest_id.into()],
            )
            .await?;
        let all = collaborators(&mut transaction, id).await?;
        let changed = all.into_iter().find(|collaborator| collaborator.user_id == guest_id);
        let changed = changed.ok_or(TripError::NoCollaborator)?;
        audit::record(
            &mut transaction,
            owner_id,
            "trip.permission_changed",
            id,
            Some(&json!({"user_id": guest_id})),
            now,
        )
        .await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Ends the access of a collaborator; the owner of the trip alone may do so.
    pub(crate) async fn remove_collaborator(
        &self,
        id: Uuid,
        owner_id: Uuid,
        guest_id: Uuid,
        now: Timestamp,
    ) -> Result<(), TripError> {
        let mut transaction = self.write().await?;
        locked_trip_for(&mut transaction, id, owner_id, Access::Owner).await?;
        let removed = transaction
            .execute(
                "DELETE FROM trip_collaborators WHERE trip_id = $1 AND user_id = $2",
                &[id.into(), guest_id.into()],
            )
            .await?;
        if removed == 0 {
            return Err(TripError::NoCollaborator);
        }
        audit::record(&mut transaction, owner_id, "trip.unshared", id, Some(&json!({"user_id": guest_id})), now)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn insert(transaction: &mut Connection, trip_id: Uuid, collaborator: &Collaborator) -> Result<(), Error> {
    transaction
        .execute(
            "INSERT INTO trip_collaborators (trip_id, user_id, permission, added_by, added_at, message) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                trip_id.into(),
                collaborator.user_id.into(),
                collaborator.permission_level.as_str().into(),
                collaborator.added_by.into(),
                collaborator.added_at.into(),
                collaborator.message.as_deref().into(),
            ],
        )
        .await?;
    Ok(())
}

async fn collaborators(connection: &mut Connection, trip_id: Uuid) -> Result<Vec<Collaborator>, Error> {
    let rows = connection.fetch_all(COLLABORATORS, &[trip_id.into()]).await?;
    rows.iter().map(collaborator).collect()
}

fn collaborator(row: &Row) -> Result<Collaborator, Error> {
    Ok(Collaborator {
        user_id: row.id("user_id")?,
        email: row.text("email")?,
        name: row.optional_text("full_name")?,
        permission_level: row.parsed("permission", Permission::named)?,
        added_by: row.id("added_by")?,
        added_at: row.instant("added_at")?,
        message: row.optional_text("message")?,
    })
}
