//! The download of an archive's file as a stream.

use std::time::Duration;

use reqwest::Response;

use super::{Error, OpenTok, Refusal};

/// The timeout of a whole download: four hours of recording over a slow line.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// The timeout of each read.
const STALL: Duration = Duration::from_secs(30);

/// A download in progress.
#[derive(Debug)]
pub struct Download {
    response: Response,
}

impl OpenTok {
    /// Opens the file at an archive's `url`. The credentials are not sent: the URL is signed, and
    /// expires some minutes after the archive was fetched.
    ///
    /// # Errors
    /// [`Error::Argument`] when the text is not a URL; [`Error::Archive`] when the server refuses, most likely because the
    /// URL has expired; [`Error::Connection`].
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
    /// The size of the whole file in bytes, if the server sends it.
    pub fn size(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Returns the next part of the file; `None`: the end. The file is incomplete if it is shorter than [`Download::size`].
    ///
    /// # Errors
    /// [`Error::Connection`], also when no data arrives for 30 s.
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn a_file_at_a_private_address_is_not_requested_unless_it_is_the_servers_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = |host: &str| {
            OpenTok::builder(123_456, "secret")
                .api_url(format!("http://{host}:{port}"))
                .file_addresses(|address| !address.is_loopback())
                .build()
                .unwrap()
        };
        let literal = format!("http://127.0.0.1:{port}/file");
        let name = format!("http://localhost:{port}/file");
        for (opentok, url) in [
            (server("localhost"), &literal),
            (server("127.0.0.1"), &name),
        ] {
            let refused = opentok.download(url).await.unwrap_err();
            assert!(refused.to_string().contains("public internet"), "{refused}");
        }

        let answer = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = socket.read(&mut request).await.unwrap();
            let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            socket.write_all(response.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let mut file = server("127.0.0.1").download(&literal).await.unwrap();
        assert_eq!(file.chunk().await.unwrap(), Some(b"ok".to_vec()));
        // The first connection is this one's.
        assert!(answer.await.unwrap().contains("127.0.0.1"));
    }
}
