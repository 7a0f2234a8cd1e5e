/*
 * web/path_types.h - the types of parts of a path, <name:type>, from the narrowest to the widest.
 */
#ifndef ATH_WEB_PATH_TYPES_H
#define ATH_WEB_PATH_TYPES_H

#include "web/internal.h"

/* Types are compared by address: one that stands before another is narrower. */
struct ath_path_type;

/* A name that is no type's is a regular expression. */
const struct ath_path_type *ath_path_type_named(struct ath_text name);
bool ath_path_type_is_regex(const struct ath_path_type *type);
/* Takes it all segments that follow? */
bool ath_path_type_is_rest(const struct ath_path_type *type);
/* Is the segment of the type? Fills in the capture's value. */
bool ath_path_type_read(const struct ath_path_type *type, struct ath_text segment,
			struct ath_capture *capture);

#endif
