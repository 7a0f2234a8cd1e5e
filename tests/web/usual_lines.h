/* usual_lines.h - the header lines that every answer has, as they are to be. */
#ifndef TESTS_WEB_USUAL_LINES_H
#define TESTS_WEB_USUAL_LINES_H

#define STORE       "Cache-Control: no-store\r\n"
#define CSP         "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
#define CORP        "Cross-Origin-Resource-Policy: same-origin\r\n"
#define REFER       "Referrer-Policy: no-referrer\r\n"
#define NOSNIFF     "X-Content-Type-Options: nosniff\r\n"
#define FRAME       "X-Frame-Options: DENY\r\n"
#define USUAL_LINES STORE CSP CORP REFER NOSNIFF FRAME

#endif
