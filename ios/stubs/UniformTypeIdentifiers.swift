// Compile-only stub of UniformTypeIdentifiers, as documented for iOS 17.
public struct UTType: Sendable {
  public static var jpeg: UTType { fatalError() }
  public static var mpeg4Movie: UTType { fatalError() }
  public static var movie: UTType { fatalError() }
}
