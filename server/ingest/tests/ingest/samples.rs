//! Short documents of our own, one for each rule of a mapping.

use crate::read;
use dateline_ingest::Code;
use serde_json::{Value, json};

/// The items of a document, which its parser also finds by itself.
#[track_caller]
fn check(key: &str, document: &str, expected: Value) {
    for key in [Some(key), None] {
        let found = read(key, document.as_bytes()).unwrap();
        let found: Value = found.into_iter().map(Value::Object).collect();
        assert_eq!(found, expected, "{found:#}");
    }
}

#[track_caller]
fn refused(key: &str, document: &str, code: Code) {
    assert_eq!(read(Some(key), document.as_bytes()).unwrap_err().code, code, "{document}");
}

#[test]
fn ninjs() {
    check(
        "ninjs",
        r#"{"guid": "g", "version": 2, "type": "text", "headline": "H", "source": "Wire", "priority": "3", "located": "Oslo",
            "service": [{"code": "i", "name": "International"}], "subject": [{"code": "15000000", "name": "sport", "scheme": "s"}],
            "place": [{"name": "Norway", "code": "NO"}], "description_text": "D", "body_xhtml": "<p>B</p>",
            "pubstatus": "cancelled", "versioncreated": "2026-01-30T02:40:56Z", "embargoed": "soon",
            "organisation": [{"name": "Y", "rel": "Securities Identifier", "symbols": [{"ticker": "YAL", "exchange": "ASX"}]}],
            "associations": {"featuremedia": {"guid": "p", "type": "picture", "headline": "P", "body_text": "alt",
              "renditions": {"original": {"href": "http://x/o.jpg", "media": "secret", "width": 4}, "none": null}},
              "ref": {"guid": "r", "type": "text"}}}"#,
        json!([
            {"guid": "p", "uri": "p", "type": "picture", "body_text": "alt", "headline": "P", "pubstatus": "usable", "alt_text": "alt",
             "renditions": {"original": {"href": "http://x/o.jpg", "width": 4}}},
            {"guid": "g", "uri": "g", "type": "text", "version": "2", "headline": "H", "description_text": "D", "pubstatus": "canceled",
             "versioncreated": "2026-01-30T02:40:56+0000", "embargoed_text": "soon", "original_source": "Wire", "priority": 3,
             "anpa_category": [{"qcode": "i", "name": "International"}],
             "subject": [{"qcode": "15000000", "name": "sport", "scheme": "s"}], "place": [{"qcode": "NO", "name": "Norway"}],
             "company_codes": [{"qcode": "YAL", "name": "Y", "security_exchange": "ASX"}],
             "abstract": "D", "body_html": "<p>B</p>", "dateline": {"located": {"city": "Oslo"}},
             "associations": {
                "featuremedia": {"guid": "p", "uri": "p", "type": "picture", "body_text": "alt", "headline": "P", "pubstatus": "usable",
                  "alt_text": "alt", "renditions": {"original": {"href": "http://x/o.jpg", "width": 4}}},
                "ref": {"guid": "r", "uri": "r", "type": "text", "pubstatus": "usable"}}},
        ]),
    );
    let both = r#"{"_items": [{"guid": "a", "headline": "A"}, {"uri": "b", "type": "text"}]}"#;
    let found = read(None, both.as_bytes()).unwrap();
    assert_eq!(found.len(), 2);
    assert!(found[1]["guid"].as_str().unwrap().starts_with("tag:localhost:"));
    assert!(read(None, b"[]").unwrap().is_empty());
    for other in [r#"{"a": 1}"#, "[1]", r#"{"items": 1}"#, "<a/>"] {
        refused("ninjs", other, Code::UNKNOWN_FORMAT);
    }
}

#[test]
fn nitf() {
    check(
        "nitf",
        r#"<nitf xml:lang="en-AU"><head><title>T</title>
          <meta name="anpa-keyword" content="slug"/><meta name="anpa-category" content="S"/><meta name="anpa-sequence" content="12"/>
          <meta name="anpa-wordcount" content="250"/>
          <tobject><tobject.property tobject.property.type="Feature"/>
            <tobject.subject tobject.subject.refnum="15054000" tobject.subject.type="Sport" tobject.subject.matter="soccer"/></tobject>
          <docdata management-status="hold"><doc-id id-string="id-1"/><urgency ed-urg="x"/><date.issue norm="20260130T010000Z"/>
            <date.expire norm="2026-02-03"/><evloc city="Oslo" iso-cc="NO"/><ed-msg info="Check"/>
            <key-list><keyword key="a"/><keyword key="a"/><keyword key=""/></key-list></docdata></head>
          <body><body.head><byline>By <person>Ada
             Author</person></byline><distributor>Wire</distributor><dateline><location><city>Oslo</city></location></dateline>
            <abstract><p>Short.</p></abstract></body.head>
          <body.content><hl2>Sub</hl2><p>One &amp; <em class="bold">two</em></p><media><p>x</p></media></body.content></body></nitf>"#,
        json!([{
            "guid": "id-1", "uri": "id-1", "type": "text", "pubstatus": "withheld", "expiry": "2026-02-03T00:00:00+0000", "urgency": 5,
            "firstcreated": "2026-01-30T01:00:00+0000", "versioncreated": "2026-01-30T01:00:00+0000", "ednote": "Check",
            "keywords": ["a"], "place": [{"name": "Oslo", "qcode": "Oslo", "country_code": "NO"}],
            "subject": [{"qcode": "15054000", "name": "soccer"}], "genre": [{"qcode": "Feature", "name": "Feature"}],
            "headline": "T", "byline": "By Ada Author", "abstract": "<p>Short.</p>",
            "dateline": {"text": "Oslo", "located": {"city": "Oslo"}}, "original_source": "Wire", "language": "en-AU",
            "slugline": "slug", "anpa_category": [{"qcode": "s", "name": "s"}], "ingest_provider_sequence": "12", "word_count": 250,
            "body_html": "<h2>Sub</h2><p>One &amp; <b>two</b></p>",
        }]),
    );
    let wire = r#"<nitf><head><meta name="anpa-format" content="t"/><docdata><doc-id id-string="i"/></docdata></head>
        <body><body.content>a  b</body.content></body></nitf>"#;
    let found = read(None, wire.as_bytes()).unwrap();
    assert_eq!(
        (&found[0]["type"], &found[0]["body_html"]),
        (&json!("preformatted"), &json!("<pre>a  b</pre>"))
    );
    refused("nitf", "<nitf><head/></nitf>", Code::NITF);
    refused("nitf", "<NewsML/>", Code::UNKNOWN_FORMAT);
}

#[test]
fn newsml12() {
    check(
        "newsml12",
        r#"<NewsML><NewsEnvelope><TransmissionId>9</TransmissionId><SentFrom><Party FormalName="AFP"/></SentFrom>
            <Priority FormalName="2"/></NewsEnvelope>
          <NewsItem><Identification><NewsIdentifier><NewsItemId>x</NewsItemId><RevisionId Update="N">4</RevisionId>
            <PublicIdentifier>urn:x:4N</PublicIdentifier></NewsIdentifier></Identification>
            <NewsManagement><FirstCreated>20260130T010000Z</FirstCreated><ThisRevisionCreated>20260130T020000+0100</ThisRevisionCreated>
              <Status FormalName="Usable"/><Urgency FormalName="3"/></NewsManagement>
            <NewsComponent xml:lang="fr"><NewsLines><HeadLine>H</HeadLine><SlugLine>s</SlugLine></NewsLines>
              <RightsMetadata><UsageRights><UsageType>Terms</UsageType></UsageRights></RightsMetadata>
              <DescriptiveMetadata><Language FormalName="fr"/><Genre FormalName="Feature"/>
                <SubjectCode><Subject FormalName="15000000"/><SubjectMatter FormalName="15054000"/></SubjectCode>
                <Property FormalName="Keyword" Value="k"/><Location><Property FormalName="Country" Value="France"/></Location></DescriptiveMetadata>
              <ContentItem><DataContent><p>A</p><p>B</p></DataContent></ContentItem></NewsComponent></NewsItem>
          <NewsItem><Identification><NewsIdentifier><NewsItemId>photo</NewsItemId></NewsIdentifier></Identification>
            <NewsComponent><Role FormalName="preview"/><ContentItem Href="http://x/p.jpg"><MediaType FormalName="Photo"/>
              <Format FormalName="image/jpeg"/><Characteristics><Property FormalName="Width" Value="10"/></Characteristics></ContentItem></NewsComponent></NewsItem>
          <NewsItem><Identification><NewsIdentifier><NewsItemId>pack</NewsItemId></NewsIdentifier></Identification>
            <NewsComponent><NewsItemRef NewsItem="urn:x:4N"/></NewsComponent></NewsItem></NewsML>"#,
        json!([
            {"guid": "urn:x", "uri": "urn:x", "type": "text", "version": "4", "ingest_provider_sequence": "9", "original_source": "AFP",
             "priority": 2, "firstcreated": "2026-01-30T01:00:00+0000", "versioncreated": "2026-01-30T01:00:00+0000", "urgency": 3,
             "pubstatus": "usable", "headline": "H", "slugline": "s", "usageterms": "Terms", "language": "fr", "keywords": ["k"],
             "subject": [{"qcode": "15000000", "name": "15000000"}, {"qcode": "15054000", "name": "15054000"}],
             "genre": [{"qcode": "Feature", "name": "Feature"}],
             "place": [{"name": "France", "qcode": "France", "country": "France"}], "body_html": "<p>A</p><p>B</p>"},
            {"guid": "photo", "uri": "photo", "type": "picture", "ingest_provider_sequence": "9", "original_source": "AFP", "priority": 2,
             "renditions": {"preview": {"href": "http://x/p.jpg", "mimetype": "image/jpeg", "width": 10}}},
            {"guid": "pack", "uri": "pack", "type": "composite", "ingest_provider_sequence": "9", "original_source": "AFP", "priority": 2,
             "groups": [
                {"id": "root", "role": "grpRole:NEP", "refs": [{"idRef": "main"}]},
                {"id": "main", "role": "grpRole:main", "refs": [{"residRef": "urn:x", "type": "text", "location": "ingest", "renditions": {}}]}]},
        ]),
    );
    refused("newsml12", "<NewsML/>", Code::NEWSML12);
    refused("newsml12", "<NewsML><NewsItem/></NewsML>", Code::NEWSML12);
}

#[test]
fn newsmlg2() {
    check(
        "newsml2",
        r#"<newsItem xmlns="http://iptc.org/std/nar/2006-10-01/" guid="tag:1" version="5" xml:lang="en">
          <itemMeta><itemClass qcode="ninat:text"/><versionCreated>2026-01-30T02:00:00+00:00</versionCreated>
            <embargoed>later</embargoed><pubStatus qcode="stat:canceled"/><signal qcode="sig:correction"/></itemMeta>
          <contentMeta><urgency>4</urgency><language tag="en-US"/><by>Ada</by><headline>H</headline><keyword>k</keyword>
            <infoSource role="cRole:source" literal="Wire"/><genre qcode="genre:Feature"><name xml:lang="de">F</name><name xml:lang="en">Feature</name></genre>
            <subject qcode="subj:15000000"><name>sport</name></subject><subject qcode="x:1"/>
            <subject type="cptType:5" qcode="city:1"><name>Oslo</name><broader type="cptType:5" qcode="iso3166-1a2:NO"><name>Norway</name></broader></subject></contentMeta>
          <contentSet><inlineXML contenttype="application/xhtml+xml"><html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head>
            <body><p>A<script>b</script></p></body></html></inlineXML></contentSet></newsItem>"#,
        json!([{
            "guid": "tag:1", "uri": "tag:1", "type": "text", "version": "5", "language": "en-US",
            "versioncreated": "2026-01-30T02:00:00+0000", "embargoed_text": "later", "pubstatus": "canceled",
            "signal": [{"qcode": "sig:correction", "name": "correction"}], "urgency": 4, "headline": "H", "byline": "Ada",
            "original_source": "Wire", "keywords": ["k"], "genre": [{"qcode": "genre:Feature", "name": "Feature"}],
            "subject": [{"qcode": "15000000", "name": "sport"}],
            "place": [{"qcode": "1", "name": "Oslo", "country": "Norway", "country_code": "NO"}], "body_html": "<p>A</p>",
        }]),
    );
    let package = r#"<packageItem guid="p" version="1"><groupSet root="r"><group id="r"><itemRef residref="a"/></group></groupSet></packageItem>"#;
    let found = read(None, package.as_bytes()).unwrap();
    assert_eq!(dateline_ingest::references(&found[0]), ["a"]);
    assert_eq!(found[0]["type"], "composite");
    refused("newsml2", "<newsMessage/>", Code::NEWSMLG2);
    refused("newsml2", "<newsItem/>", Code::NEWSMLG2);
}

#[test]
fn feeds() {
    check(
        "rss",
        r#"<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>C</title><language>en</language>
          <item><title>A &amp;amp; &lt;b&gt;B&lt;/b&gt;</title><link>http://x/1</link><description>&lt;p&gt;S&lt;/p&gt;</description>
            <author>ada@example.com (Ada)</author><category>one</category><category>two</category>
            <pubDate>Fri, 30 Jan 2026 01:00:00 GMT</pubDate><guid isPermaLink="false">g1</guid>
            <enclosure url="http://x/1.jpg" type="image/jpeg" length="1"/><media:content url="http://x/2.png" type="image/png"/>
            <media:thumbnail url="http://x/1.jpg"/><enclosure url="http://x/a.mp3" type="audio/mpeg"/></item>
          <item><description>No title</description><link>http://x/2</link><pubDate>Fri, 30 Jan 2099 01:00:00 GMT</pubDate></item>
          <item/></channel></rss>"#,
        json!([
            {"guid": "g1", "uri": "http://x/1", "type": "text", "headline": "A & B", "firstcreated": "2026-01-30T01:00:00+0000",
             "versioncreated": "2026-01-30T01:00:00+0000", "body_html": "<p>S</p>", "abstract": "<p>S</p>", "byline": "Ada",
             "keywords": ["one", "two"], "language": "en",
             "associations": {
                "featuremedia": {"headline": "A & B", "guid": "tag:localhost:3c53469bcda1eb0a99f1a521f82cdb76", "type": "picture",
                    "renditions": {"original": {"href": "http://x/1.jpg", "mimetype": "image/jpeg"}}},
                "gallery--1": {"headline": "A & B", "guid": "tag:localhost:b031d32ccc384a11fd8c91d19ef4c0c6", "type": "picture",
                    "renditions": {"original": {"href": "http://x/2.png", "mimetype": "image/png"}}}}},
            {"guid": "http://x/2", "uri": "http://x/2", "type": "text", "firstcreated": "2026-02-01T00:00:00+0000",
             "versioncreated": "2026-02-01T00:00:00+0000", "body_html": "No title", "abstract": "No title", "language": "en"},
        ]),
    );
}

#[test]
fn atom_and_older_feeds() {
    check(
        "rss",
        r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="nb"><author><name>Desk</name></author>
          <entry><id>i</id><title type="html">A &amp;lt; B</title><link rel="alternate" href="http://x/1"/><updated>2026-01-30T02:00:00Z</updated>
            <published>2026-01-30T01:00:00Z</published><summary>S &lt; 1</summary><category term="t" label="T"/>
            <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>B</p></div></content></entry></feed>"#,
        json!([{
            "guid": "i", "uri": "http://x/1", "type": "text", "headline": "A &lt; B", "firstcreated": "2026-01-30T01:00:00+0000",
            "versioncreated": "2026-01-30T02:00:00+0000", "body_html": "<p>B</p>", "abstract": "S &lt; 1", "byline": "Desk",
            "keywords": ["T"], "language": "nb",
        }]),
    );
    check(
        "rss",
        r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
          <channel><title>C</title></channel><item><title>T</title><link>http://x/1</link><dc:date>2026-01-30</dc:date><dc:creator>Ada</dc:creator></item></rdf:RDF>"#,
        json!([{
            "guid": "http://x/1", "uri": "http://x/1", "type": "text", "headline": "T", "firstcreated": "2026-01-30T00:00:00+0000",
            "versioncreated": "2026-01-30T00:00:00+0000", "byline": "Ada",
        }]),
    );
    refused("rss", "<rss/>", Code::UNKNOWN_FORMAT);
    refused("rss", "<html><body>Not a feed</body></html>", Code::UNKNOWN_FORMAT);
}

#[test]
fn mail() {
    check(
        "email_rfc822",
        "From: Ada Author <ada@example.com>\r\nSubject: =?utf-8?q?R=C3=A6in?=\r\nMessage-ID: <1@example.com>\r\n\
         Date: Fri, 30 Jan 2026 02:00:00 +0100\r\n\r\nOne\r\ntwo <b>.\r\n\r\nThree.\r\n",
        json!([{
            "guid": "1@example.com", "uri": "1@example.com", "type": "text", "headline": "Ræin",
            "body_html": "<p>One<br>two &lt;b&gt;.</p><p>Three.</p>", "byline": "Ada Author", "original_source": "ada@example.com",
            "firstcreated": "2026-01-30T01:00:00+0000", "versioncreated": "2026-01-30T01:00:00+0000",
        }]),
    );
    let html = "From: a@example.com\r\nSubject: S\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n\
        Content-Type: text/plain\r\n\r\nplain\r\n--x\r\nContent-Type: text/html\r\n\r\n<p onclick=x>rich</p>\r\n--x--\r\n";
    let found = read(None, html.as_bytes()).unwrap();
    assert_eq!(found[0]["body_html"], "<p>rich</p>");
    refused("email_rfc822", "just some text", Code::UNKNOWN_FORMAT);
}

#[test]
fn aliases() {
    let site = dateline_formats::Site::default();
    let aliases = [("title".to_owned(), "dc:subject".to_owned())];
    let reading = dateline_ingest::Reading {
        now: "2026-02-01T00:00:00Z".parse().unwrap(),
        site: &site,
        aliases: &aliases,
    };
    let feed = "<rss xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><item><title>T</title><dc:subject>S</dc:subject></item></channel></rss>";
    let found = dateline_ingest::Parsers::standard().read(None, feed.as_bytes(), &reading).unwrap();
    assert_eq!(found[0]["headline"], "S");
}
