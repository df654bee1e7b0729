use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Settings;

/// The port of an address that names none.
const HTTP_PORT: u16 = 80;
/// The longest answer that is read to its end, so that the connection can be used again.
const MAX_ANSWER: usize = 65_536;

/// One connection, kept between POSTs.
#[derive(Default)]
pub(super) struct Poster {
    open: Option<(String, SendRequest<Full<Bytes>>)>,
}

impl Poster {
    /// POSTs a body to `push_url`; returns the answer's status.
    pub(super) async fn post(&mut self, settings: &Settings, body: Bytes) -> anyhow::Result<StatusCode> {
        let uri: Uri = settings.push_url.parse()?;
        let host = uri.host().context("push_url has no host")?;
        let address = format!("{host}:{}", uri.port_u16().unwrap_or(HTTP_PORT));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(HOST, &address)
            .header(CONTENT_TYPE, "application/json")
            .header("x-receipt-secret", &settings.push_secret)
            .body(Full::new(body))?;
        let connection = self.connection(address).await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let rest = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        rest.map_err(|error| anyhow::anyhow!("the answer breaks off: {error}"))?;
        Ok(status)
    }

    /// Gives the connection up: what comes on it later answers nothing any more.
    pub(super) fn hang_up(&mut self) {
        self.open = None;
    }

    async fn connection(&mut self, address: String) -> anyhow::Result<&mut SendRequest<Full<Bytes>>> {
        let usable = self.open.take().filter(|(to, connection)| *to == address && !connection.is_closed());
        let connection = match usable {
            Some((_, connection)) => connection,
            None => {
                let stream = TcpStream::connect(&address).await?;
                stream.set_nodelay(true)?;
                let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
                // Ends when the connection is given up or closed by the other side.
                tokio::spawn(driver);
                connection
            }
        };
        Ok(&mut self.open.insert((address, connection)).1)
    }
}
