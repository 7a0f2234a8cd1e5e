/*
 * athanor.h - the one header an application includes.
 */
#ifndef ATHANOR_H
#define ATHANOR_H

#include "base/base.h"
#include "base/log.h"
#include "db/db.h"
#include "loop/loop.h"
#include "orm/orm.h"
#include "rest/rest.h"
#include "serve/serve.h"
#include "serve/test.h"
#include "web/web.h"

#endif
