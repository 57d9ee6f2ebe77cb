package org.deimv2.camera

import android.content.res.Configuration

/** The tag of the user's first language, or of the one chosen for this app. */
val Configuration.language: String get() = locales[0].toLanguageTag()
