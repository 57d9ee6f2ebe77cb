package org.deimv2.detector

import org.json.JSONObject
import java.io.File

/** What `python -m tests.vectors` wrote; each JSON file says in `made_by` where its form is described. */
object Vectors {
    val folder = File(System.getProperty("deimv2.vectors") ?: "../../tests/vectors")

    fun json(name: String) = JSONObject(File(folder, name).readText())

    fun bytes(name: String) = File(folder, name).readBytes()
}
