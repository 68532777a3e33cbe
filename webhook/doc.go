// Package webhook tells another program over HTTP that something has happened.
//
// Requests are those of the Standard Webhooks specification, version 1.0.0
// (https://www.standardwebhooks.com): a JSON body, and three headers by which
// its receiver can tell who sent it, when, and whether it has had it before.
//
//	webhook-id         the event, the same at each attempt to send it
//	webhook-timestamp  of this attempt, in seconds since 1970
//	webhook-signature  v1,BASE64(HMAC-SHA256(secret, id.timestamp.body))
//
// [Sender] sends, and [Verify] is for receivers that are written in Go.
package webhook
