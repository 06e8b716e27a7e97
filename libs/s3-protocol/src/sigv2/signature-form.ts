/** What an access key and a signature of version 2 look like, wherever they stand. */
export const ACCESS_KEY_MAX_CHARACTERS = 128;
export const BASE64_OF_SHA1 = /^[A-Za-z0-9+/]{27}=$/;
