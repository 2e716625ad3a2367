//! Downloads of an archive: from any server, as a stream, and without credentials.

use parlor::opentok::Error;

use super::{
    client,
    service::{Answer, Service, typed},
};

#[tokio::test]
async fn a_file_comes_in_parts_and_nothing_secret_goes_to_where_it_is() {
    let api = Service::start([]).await;
    let files = Service::start([typed(200, "video/mp4", "moving pictures")]).await;
    let url = format!("{}/archives/1?sig=x", files.url);

    let mut download = client(&api).download(&url).await.unwrap();

    assert_eq!(download.size(), Some(15));
    let mut whole = Vec::new();
    while let Some(chunk) = download.chunk().await.unwrap() {
        whole.extend(chunk);
    }
    assert_eq!(whole, b"moving pictures");
    let request = files.request();
    assert_eq!(request.line, "GET /archives/1?sig=x");
    for header in ["x-opentok-auth", "authorization"] {
        assert_eq!(request.header(header), None);
    }
    assert_eq!(api.requests().len(), 0);
}

#[tokio::test]
async fn an_expired_link_is_reported_by_its_status() {
    let files = Service::start([typed(403, "text/html", "expired")]).await;
    let error = client(&files).download(&files.url).await.unwrap_err();
    assert_eq!(error.status(), Some(403));
    assert!(matches!(error, Error::Archive(_)), "{error}");
}

#[tokio::test]
async fn an_invalid_url_is_not_requested() {
    let service = Service::start([Answer::Close]).await;
    for url in [
        "",
        "archive.mp4",
        "file:///etc/passwd",
        "ftp://example.org/a",
    ] {
        let error = client(&service).download(url).await.unwrap_err();
        assert!(matches!(error, Error::Argument(_)), "{url}: {error}");
    }
    let error = client(&service).download(&service.url).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}
