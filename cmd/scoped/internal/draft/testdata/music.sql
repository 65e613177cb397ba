-- A shop for music, in the manner of the Chinook example, with its upper-case
-- names: the tenants are the customers, and the catalogue is everybody's.
CREATE TABLE "Label" ("LabelId" integer PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "Artist" ("ArtistId" integer PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "Album" (
    "AlbumId"  integer PRIMARY KEY,
    "Title"    varchar(160) NOT NULL,
    "ArtistId" integer NOT NULL REFERENCES "Artist",
    "LabelId"  integer REFERENCES "Label"
);
CREATE TABLE "Genre" ("GenreId" integer PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "MediaType" ("MediaTypeId" integer PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "Track" (
    "TrackId"     integer PRIMARY KEY,
    "Name"        varchar(200) NOT NULL,
    "AlbumId"     integer REFERENCES "Album",
    "MediaTypeId" integer NOT NULL REFERENCES "MediaType",
    "GenreId"     integer REFERENCES "Genre",
    "UnitPrice"   numeric(10, 2) NOT NULL
);
-- Everybody's where no customer is named.
CREATE TABLE "Playlist" (
    "PlaylistId" integer PRIMARY KEY,
    "Name"       varchar(120),
    "CustomerId" integer
);
CREATE TABLE "PlaylistTrack" (
    "PlaylistId" integer NOT NULL REFERENCES "Playlist" ON DELETE CASCADE,
    "TrackId"    integer NOT NULL REFERENCES "Track",
    PRIMARY KEY ("PlaylistId", "TrackId")
);
CREATE TABLE "Employee" (
    "EmployeeId" integer PRIMARY KEY,
    "LastName"   varchar(20) NOT NULL,
    "ReportsTo"  integer REFERENCES "Employee",
    "BirthDate"  timestamp
);
CREATE TABLE "Customer" (
    "CustomerId"   integer PRIMARY KEY,
    "FirstName"    varchar(40) NOT NULL,
    "Email"        varchar(60) NOT NULL UNIQUE,
    "SupportRepId" integer REFERENCES "Employee",
    "ReferredBy"   integer REFERENCES "Customer"
);
CREATE TABLE "Invoice" (
    "InvoiceId"   integer PRIMARY KEY,
    "CustomerId"  integer NOT NULL REFERENCES "Customer",
    "InvoiceDate" timestamp NOT NULL,
    "Total"       numeric(10, 2) NOT NULL
);
CREATE TABLE "InvoiceLine" (
    "InvoiceLineId" integer PRIMARY KEY,
    "InvoiceId"     integer NOT NULL REFERENCES "Invoice",
    "TrackId"       integer NOT NULL REFERENCES "Track",
    "Quantity"      integer NOT NULL
);
CREATE TABLE "Refund" (
    "RefundId"      integer PRIMARY KEY,
    "InvoiceLineId" integer NOT NULL REFERENCES "InvoiceLine",
    "Reason"        varchar(200)
);
CREATE TABLE "Review" (
    "CustomerId" integer NOT NULL REFERENCES "Customer",
    "TrackId"    integer NOT NULL REFERENCES "Track",
    "Stars"      smallint NOT NULL,
    PRIMARY KEY ("CustomerId", "TrackId")
);
CREATE TABLE "ReviewVote" (
    "ReviewerId" integer NOT NULL,
    "TrackId"    integer NOT NULL,
    "VoterId"    integer NOT NULL REFERENCES "Customer",
    FOREIGN KEY ("ReviewerId", "TrackId") REFERENCES "Review",
    PRIMARY KEY ("ReviewerId", "TrackId", "VoterId")
);
-- From one customer to another: whose is it?
CREATE TABLE "Gift" (
    "GiftId"      integer PRIMARY KEY,
    "GiverId"     integer NOT NULL REFERENCES "Customer",
    "RecipientId" integer NOT NULL REFERENCES "Customer",
    "TrackId"     integer NOT NULL REFERENCES "Track"
);
CREATE TABLE "GiftCard" (
    "GiftCardId" integer PRIMARY KEY,
    "GiftId"     integer NOT NULL REFERENCES "Gift",
    "Text"       text NOT NULL
);
CREATE TABLE "Newsletter" ("NewsletterId" integer PRIMARY KEY, "Subject" text NOT NULL);

CREATE VIEW "InvoiceTotal" AS
    SELECT i."InvoiceId", sum(l."Quantity") AS "Items"
    FROM "Invoice" AS i JOIN "InvoiceLine" AS l USING ("InvoiceId") GROUP BY i."InvoiceId";
CREATE VIEW "RecentInvoice" AS SELECT * FROM "InvoiceTotal" WHERE "InvoiceId" > 100;
CREATE VIEW "GiftList" AS SELECT "GiverId", "GiftId" FROM "Gift";
