//! The file of an archive, as it comes.

use std::time::Duration;

use reqwest::Response;

use super::{Error, OpenTok, Refusal};

/// For a whole file: four hours of recording over a slow line.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// The longest wait for more of it.
const STALL: Duration = Duration::from_secs(30);

/// A file that is being downloaded.
#[derive(Debug)]
pub struct Download {
    response: Response,
}

impl OpenTok {
    /// Opens the file at an archive's `url`. The credentials are not sent there: the url has its own permission,
    /// which ends some minutes after the archive was asked for.
    ///
    /// # Errors
    /// [`Error::Argument`] when it is no address; [`Error::Archive`] when the file is not given, most likely since the
    /// permission has ended; [`Error::Connection`].
    pub async fn download(&self, url: &str) -> Result<Download, Error> {
        let opening = tokio::time::timeout(STALL, self.http.fetch(url, LONGEST));
        let response = opening.await.unwrap_or_else(|_| Err(stalled()))?;
        let status = response.status().as_u16();
        if !(200..300).contains(&status) {
            return Err(Error::Archive(Refusal {
                message: format!("The archive's file was not given. Response code: {status}"),
                status,
                code: None,
                reason: None,
                retry_after: None,
            }));
        }
        Ok(Download { response })
    }
}

impl Download {
    /// Bytes of the whole file, if the server says so.
    pub fn size(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// More of the file; `None`: that was all. Whoever has fewer bytes than [`Download::size`] then has no whole file.
    ///
    /// # Errors
    /// [`Error::Connection`], also when nothing comes for 30 s.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let chunk = tokio::time::timeout(STALL, self.response.chunk());
        let chunk = chunk.await.map_err(|_| stalled())??;
        Ok(chunk.map(|bytes| bytes.to_vec()))
    }
}

fn stalled() -> Error {
    Error::Connection {
        cause: "nothing more came".to_owned(),
        timed_out: true,
    }
}
